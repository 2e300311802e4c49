(key) => { // The address names the open tab, as soon as it holds a view: before, it is what the page is opened from.
  if (!document.querySelector('#stage [data-view]')) return;
  const address = new URL(location.href);
  address.searchParams.set('tab', key);
  history.replaceState(history.state, '', address);
}
