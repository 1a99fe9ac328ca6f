// The one stream of server-sent events, as browsers allow six connections to a server.

const badge = document.getElementById("live");
let source = null;
let wanted = null; // { query, handlers }

function show(state, label) {
  badge.dataset.state = state;
  badge.textContent = label;
}

function connect() {
  source?.close();
  source = null;
  if (!wanted || document.hidden) return;
  const { query, handlers } = wanted;
  const own = new EventSource(`/api/live?${query}`);
  source = own;
  own.addEventListener("open", () => show("on", "live"));
  own.addEventListener("error", () => show("off", "not connected"));
  for (const [name, handle] of Object.entries(handlers)) {
    own.addEventListener(name, (event) => {
      if (own === source) handle(JSON.parse(event.data));
    });
  }
}

/** Listen to the events of a query's rows, instead of those of the query before. */
export function listen(query, handlers) {
  wanted = { query, handlers };
  connect();
}

// A page that nobody sees takes no connection; the stream's first message brings all there is.
document.addEventListener("visibilitychange", connect);
