// Gradio's script cancels an event by a number that the server gives it (seen in 6.31). One that is cancelled before its
// number has come is asked for by none: the server answers 422, and the event goes on. Here the cancel waits for the
// number.
window.fetch = ((fetch) => {
  const numbers = new Map(); // of each function that was asked for last: a promise of its event's number
  const read = (options) => JSON.parse(options?.body || '{}');
  return async (request, options) => {
    const address = String(request.url ?? request), answer = (body) => new Response(JSON.stringify(body));
    if (address.endsWith('/queue/join')) {
      const joined = fetch(request, options);
      numbers.set(read(options).fn_index, joined.then((told) => told.clone().json()).then((told) => told.event_id, () => null));
      return joined;
    }
    if (!/\/(cancel|reset)$/.test(address) || read(options).event_id) return fetch(request, options);
    const event_id = await numbers.get(read(options).fn_index);
    return event_id ? fetch(request, { ...options, body: JSON.stringify({ ...read(options), event_id }) }) : answer({});
  };
})(window.fetch.bind(window));
