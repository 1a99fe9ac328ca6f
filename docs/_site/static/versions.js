// Fill the list of versions from versions.json, which stands beside the versions' folders.
for (const list of document.querySelectorAll(".versions select")) {
  const { version, page } = list.dataset;
  const site = new URL("../", new URL(document.documentElement.dataset.content_root, location));
  list.addEventListener("change", async () => {
    const target = new URL(`${list.value}/`, site);
    const same = new URL(page, target);
    const answer = await fetch(same, { method: "HEAD" });
    location.assign(answer.ok ? same : new URL("index.html", target));
  });
  if (location.protocol.startsWith("http")) {
    fetch(new URL("versions.json", site))
      .then((answer) => answer.json())
      .then((names) => {
        list.replaceChildren(...names.map((name) => new Option(name, name, false, name === version)));
        list.disabled = false;
      });
  }
}
