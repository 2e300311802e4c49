// The figures of a report in the colours of its theme, and its tables, which sort.
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
/* global sortTables -- of sort_table.js, which is loaded first */
sortTables(document);
choose(system.matches);
