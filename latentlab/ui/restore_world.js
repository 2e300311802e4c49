() => { // Before the first view is asked for: an address without a view means the world last used here.
  try {
    const world = localStorage.getItem('latentlab-world'), address = new URL(location.href);
    if (!world || address.searchParams.has('world')) return;
    address.searchParams.set('world', world);
    history.replaceState(history.state, '', address);
  } catch { /* a browser may keep nothing */ }
}
