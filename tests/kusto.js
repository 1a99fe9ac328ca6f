// What Microsoft's own parser says of Kusto queries, and of PromQL ones Prometheus's.
// Standard input: {"kusto": [query, …], "promql": [query, …], "tables": {name: "(column: type, …)"}};
// standard output: by query, what is wrong with it; nothing for one that is right.
const modules = process.argv[2];
const kusto = `${modules}/@kusto/language-service-next`;
require(`${kusto}/bridge.min.js`);
require(`${kusto}/Kusto.Language.Bridge.min.js`);
const { parser } = require(`${modules}/@prometheus-io/lezer-promql`);

const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const { KustoCode, GlobalState, Symbols } = Kusto.Language;
const found = {};

const tables = Object.entries(asked.tables).map(([name, columns]) =>
  Symbols.TableSymbol.From(columns).WithName(name));
const database = new Symbols.DatabaseSymbol.$ctor1("db", tables);
const globals = GlobalState.Default.WithDatabase(database);
for (const query of asked.kusto) {
  const faults = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  const told = [];
  for (let index = 0; index < faults.Count; index++) {
    const { Severity, Message, Start, Length } = faults.getItem(index);
    if (Severity === "Error") told.push(`${Message} (${query.substr(Start, Length)})`);
  }
  if (told.length) found[query] = told;
}
for (const query of asked.promql) {
  const told = [];
  parser.parse(query).iterate({
    enter: (node) => {
      if (node.type.isError) told.push(`at ${node.from}: ${query.slice(node.from)}`);
    },
  });
  if (told.length) found[query] = told;
}
process.stdout.write(JSON.stringify(found));
