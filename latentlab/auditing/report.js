// The figures of a report in the colours of its theme, and a table that sorts.
const root = document.documentElement, figures = JSON.parse(document.getElementById('figures').textContent);
const clear = 'rgba(0,0,0,0)';
function coloured(value, css) { // "var(--name)" as the theme has it now
  if (typeof value === 'string') return value.startsWith('var(--') ? css.getPropertyValue(value.slice(4, -1)).trim() : value;
  if (Array.isArray(value)) return value.map((item) => coloured(item, css));
  return value && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, coloured(item, css)])) : value;
}
const AXIS = { gridcolor: 'var(--ll-line)', zerolinecolor: 'var(--ll-line)', linecolor: 'var(--ll-before)', tickcolor: 'var(--ll-before)', color: 'var(--ll-quiet)', automargin: true, zeroline: false };
function draw() {
  const css = getComputedStyle(root);
  for (const [id, figure] of Object.entries(figures)) {
    const layout = { autosize: true, paper_bgcolor: clear, plot_bgcolor: clear, margin: { l: 48, r: 12, t: 10, b: 42 }, hovermode: 'closest',
      font: { size: 12, color: 'var(--ll-ink)', family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: 'var(--ll-ink)', bordercolor: 'var(--ll-ink)', font: { color: 'var(--ll-ground)' } },
      legend: { orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0, bgcolor: clear }, ...figure.layout };
    layout.xaxis = { ...AXIS, ...layout.xaxis };
    layout.yaxis = { ...AXIS, ...layout.yaxis };
    window.Plotly.react(id, coloured(figure.data, css), coloured(layout, css), { responsive: true, displayModeBar: false });
  }
}
function choose(dark) { root.classList.toggle('dark', dark); draw(); }
const system = matchMedia('(prefers-color-scheme: dark)');
system.addEventListener('change', (event) => choose(event.matches));
document.getElementById('theme').addEventListener('click', () => choose(!root.classList.contains('dark')));
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => {
    const sort = () => {
      const down = head.getAttribute('aria-sort') !== 'descending', key = (row) => row.cells[column].dataset.value ?? '';
      const sign = (a, b) => (key(a) === '' ? 1 : key(b) === '' ? -1 : (isNaN(key(a)) ? key(b).localeCompare(key(a)) : key(b) - key(a)) * (down ? 1 : -1));
      heads.forEach((other) => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      body.append(...[...body.rows].sort(sign));
    };
    head.addEventListener('click', sort);
    head.addEventListener('keydown', (event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); sort(); } });
  });
}
choose(system.matches);
