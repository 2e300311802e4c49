/* exported sortTables -- called by the script that is loaded with this one */
// Tables inside an element sort by the head that is clicked, or chosen by Enter or Space.
function sortTables(element) {
  const sort = (head) => {
    const table = head.closest('table'), body = table.tBodies[0], down = head.getAttribute('aria-sort') !== 'descending';
    const key = (row) => row.cells[head.cellIndex].dataset.value ?? '';
    const sign = (a, b) => (key(a) === '' ? 1 : key(b) === '' ? -1 : (isNaN(key(a)) ? key(b).localeCompare(key(a)) : key(b) - key(a)) * (down ? 1 : -1));
    table.querySelectorAll('thead th').forEach((other) => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    body.append(...[...body.rows].sort(sign));
  };
  const find = (event) => event.target.closest('table.sortable thead th');
  element.addEventListener('click', (event) => { if (find(event)) sort(find(event)); });
  element.addEventListener('keydown', (event) => { if (find(event) && (event.key === 'Enter' || event.key === ' ')) { event.preventDefault(); sort(find(event)); } });
}
