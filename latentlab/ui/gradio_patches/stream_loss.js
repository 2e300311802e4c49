// Gradio's script loses its stream of answers in two ways (6.0 to 6.31; the second also in 4.44.1).
// At `beforeunload` it cuts the stream off, but the page lives on until the next one answers, on a busy machine for
// seconds: it tells of broken connections, asks for another stream of a session that the server is just forgetting, and
// after two seconds opens itself again, which ends the way to the next page. Here the connection is held: whoever asks
// for a stream gets what is left of it, and the browser cuts it off when the page is left indeed.
// A stream is taken for open until its end is heard. One that breaks off while nothing is asked, because a network
// changed or a proxy was weary, is thus never opened again, and nothing that is asked later is answered. Here a stream
// that breaks off says that its session is lost, upon which Gradio's script opens the page again if it waits for an
// answer, and that it has ended, so that the next event opens another.
window.fetch = ((fetch) => {
  const LOST = '\n\ndata: {"msg":"unexpected_error","message":"The connection was lost.","session_not_found":true}\n\n';
  const END = 'data: {"msg":"close_stream"}\n\n';
  const HOLD = 9000; // ms, less than the server keeps a stream at rest
  let held = null, leaving = false;
  window.addEventListener('beforeunload', () => { // after Gradio's
    leaving = true;
    setTimeout(() => { leaving = false; });
  });
  function hold(stream) {
    held = stream;
    setTimeout(() => { if (held === stream) { held = null; stream.stop.abort(); } }, HOLD);
  }
  function read(stream, signal) {
    return new ReadableStream({
      async pull(out) {
        stream.next ??= stream.reader.read().catch(() => ({ done: true }));
        const { done, value } = await stream.next;
        if (signal.aborted) return; // it is for whoever asks next
        stream.next = null;
        out.enqueue(done ? new TextEncoder().encode(LOST + END) : value);
        if (done) out.close();
      },
    });
  }
  return async (request, options) => {
    if (!String(request.url ?? request).includes('/queue/data?')) return fetch(request, options);
    const stream = held ?? { stop: new AbortController() }, { signal } = request;
    held = null;
    signal.addEventListener('abort', () => setTimeout(() => { if (leaving) hold(stream); else stream.stop.abort(); }));
    stream.answer ??= fetch(new Request(request, { signal: stream.stop.signal }), options);
    const answer = await stream.answer;
    if (!answer.ok) return answer;
    stream.reader ??= answer.body.getReader();
    return new Response(read(stream, signal), answer);
  };
})(window.fetch.bind(window));
