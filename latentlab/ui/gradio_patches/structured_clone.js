// At each message of its queue Gradio (seen in 6.31) clones the properties of every component that was ever written, and
// at each function among them the browser makes an error, upon which the function itself is taken: a third of the
// script's time of a slider move. Here functions, and what cannot change anyway, are taken at once.
window.structuredClone = ((clone) => (value, options) => {
  const whole = typeof value === 'object' && value !== null;
  return whole ? clone(value, options) : value;
})(window.structuredClone.bind(window));
