// When the pictures have been still for a moment, what takes longer may follow.
let wait;
watch('value', () => {
  clearTimeout(wait);
  wait = setTimeout(() => trigger('settled', {}), 250);
});
