// A trace as a tree: requests of the host, spans, and log records where they were made.

const INVOCATION_IDS = ["InvocationId", "faas.invocation_id", "faas.invocation.id"];

/**
 * Return the nodes of a trace in the order of their rows, and its bounds in microseconds.
 *
 * A node: `{ key, kind: "request" | "span" | "log", start, end, depth, parent, of, children }`,
 * where `of` is what the node shows. What names a parent that did not come belongs to the request
 * of its invocation; else it is a root.
 */
export function grow(trace) {
  const nodes = new Map();
  const requests = new Map(); // by invocation id
  for (const row of trace.rows) {
    if (!row.request_span) continue;
    const end = row.duration_us === null ? null : row.start_us + row.duration_us;
    const node = make(row.request_span, "request", row.start_us, end, row);
    nodes.set(node.key, node);
    requests.set(row.id, node);
  }
  for (const span of trace.spans) {
    if (nodes.has(span.id)) continue;
    nodes.set(span.id, make(span.id, "span", span.start_us, span.start_us + span.duration_us, span));
  }
  const logs = trace.logs.map((log, n) => make(`log-${n}`, "log", log.time_us, log.time_us, log));
  const all = [...nodes.values(), ...logs];
  const ends = all.flatMap((node) => [node.start, node.end ?? node.start]);
  const from = ends.reduce((a, b) => Math.min(a, b), Infinity);
  const to = ends.reduce((a, b) => Math.max(a, b), -Infinity);
  const roots = [];
  for (const node of all) {
    node.end ??= to;
    const parent = findParent(node, nodes, requests);
    node.parent = parent;
    (parent ? parent.children : roots).push(node);
  }
  return { rows: flatten(roots, all), from, to: Math.max(to, from + 1), nodes };
}

function make(key, kind, start, end, of) {
  return { key, kind, start, end, of, depth: 0, parent: null, children: [] };
}

function findParent(node, nodes, requests) {
  if (node.kind === "request") return null;
  const { of } = node;
  const named = nodes.get(node.kind === "log" ? of.span : of.parent);
  if (named && named !== node) return named;
  const invocation = INVOCATION_IDS.map((name) => of.attributes[name]).find(Boolean);
  return requests.get(invocation) ?? null;
}

/** List nodes depth first, by time; spans that name each other as parents come last. */
function flatten(roots, all) {
  const rows = [];
  const seen = new Set();
  const visit = (node, depth) => {
    const stack = [[node, depth]];
    while (stack.length) {
      const [next, level] = stack.pop();
      if (seen.has(next)) continue;
      seen.add(next);
      next.depth = level;
      rows.push(next);
      next.children.sort((a, b) => b.start - a.start);
      for (const child of next.children) stack.push([child, level + 1]);
      next.children.reverse();
    }
  };
  for (const root of roots.sort((a, b) => a.start - b.start)) visit(root, 0);
  for (const node of all) visit(node, 0);
  return rows;
}
