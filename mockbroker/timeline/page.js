"use strict";
// Shows the events of the page.  Whatever a client said reaches the page by textContent only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const GAP_MS = 1000;
  const SHOWN_MAX = 4000;
  const app = document.getElementById("app");

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const laneOf = (event) => {
    if (event.peer !== undefined) return event.client_id || "(no client id)";
    return event.kind === "act" || event.kind === "wait" ? "test" : "notes";
  };
  const failed = (event) => event.kind === "refused" || (event.errors || []).length > 0;
  const routine = (event) =>
    !failed(event) &&
    (event.kind === "connected" ||
      ["Heartbeat", "Metadata", "ApiVersions", "FindCoordinator"].includes(event.api) ||
      (event.api === "Fetch" && event.text.endsWith("-> nothing")));

  const chosen = { client: "", api: "", topic: "", group: "", words: "", errors: false, routine: true };
  const events = data.events;
  const lanes = ["test", ...new Set(events.map(laneOf).filter((lane) => lane !== "test"))];

  const header = element("header");
  header.append(element("h1", "", data.title));
  const filters = element("div", "filters");
  header.append(filters);
  const distinct = (pick) => [...new Set(events.flatMap(pick).filter(Boolean))].sort();
  const select = (key, name, values) => {
    const label = element("label", "", name + " ");
    const box = element("select");
    box.append(element("option", "", ""));
    for (const value of values) box.append(element("option", "", value));
    box.onchange = () => { chosen[key] = box.value; draw(); };
    label.append(box);
    filters.append(label);
  };
  const check = (key, name) => {
    const label = element("label");
    const box = element("input");
    box.type = "checkbox";
    box.checked = chosen[key];
    box.onchange = () => { chosen[key] = box.checked; draw(); };
    label.append(box, " " + name);
    filters.append(label);
  };
  select("client", "client", lanes);
  select("api", "API", distinct((event) => [event.api]));
  select("topic", "topic", distinct((event) => event.topics || []));
  select("group", "group", distinct((event) => event.groups || []));
  const words = element("input");
  words.placeholder = "words in it";
  words.oninput = () => { chosen.words = words.value.toLowerCase(); draw(); };
  filters.append(words);
  check("errors", "errors only");
  check("routine", "hide routine");
  const count = element("span", "count");
  filters.append(count);
  app.append(header);

  if (data.diagnoses.length) {
    const box = element("section", "diagnoses");
    for (const one of data.diagnoses) {
      const line = element("p", "", one.text);
      line.onclick = () => { if (one.events.length) show(one.events[one.events.length - 1], true); };
      box.append(line);
    }
    app.append(box);
  }
  const main = element("main");
  const left = element("div", "lanes");
  const aside = element("aside");
  aside.hidden = true;
  main.append(left, aside);
  app.append(main);

  const rows = new Map();
  const show = (number, scroll) => {
    const event = events.find((one) => one.number === number);
    if (!event) return;
    for (const row of rows.values()) row.classList.remove("chosen");
    const row = rows.get(number);
    if (row) row.classList.add("chosen");
    aside.replaceChildren(element("h2", "", event.text), element("pre", "", JSON.stringify(event, null, 2)));
    aside.hidden = false;
    main.classList.add("detailed");
    if (scroll && row) row.scrollIntoView({ block: "center" });
  };
  const wanted = (event) =>
    (!chosen.client || laneOf(event) === chosen.client) &&
    (!chosen.api || event.api === chosen.api) &&
    (!chosen.topic || (event.topics || []).includes(chosen.topic)) &&
    (!chosen.group || (event.groups || []).includes(chosen.group)) &&
    (!chosen.errors || failed(event)) &&
    (!chosen.routine || !routine(event)) &&
    (!chosen.words || JSON.stringify(event).toLowerCase().includes(chosen.words));

  const cell = (event) => {
    const made = element("td", "lane " + (failed(event) ? "failed" : event.kind));
    const arrow = event.text.lastIndexOf(" -> ");
    made.append(arrow < 0 ? event.text : event.text.slice(0, arrow));
    if (arrow >= 0) made.append(element("span", "arrow", " → "), event.text.slice(arrow + 4));
    if (event.group_state) made.append(element("span", "count", "  [" + event.group_state + "]"));
    return made;
  };
  const draw = () => {
    rows.clear();
    const table = element("table");
    const found = events.filter(wanted);
    const shown = found.slice(-SHOWN_MAX);
    const used = lanes.filter((lane) => shown.some((event) => laneOf(event) === lane));
    const head = element("tr");
    head.append(element("th", "", "t+ms"));
    for (const lane of used) head.append(element("th", "", lane));
    table.append(head);
    let before = null;
    for (const event of shown) {
      if (before !== null && event.t_ms - before > GAP_MS) {
        const gap = element("tr", "gap");
        const told = element("td", "", "nothing for " + ((event.t_ms - before) / 1000).toFixed(1) + " s");
        told.colSpan = used.length + 1;
        gap.append(told);
        table.append(gap);
      }
      before = event.t_ms;
      const row = element("tr", "event");
      row.append(element("td", "t", event.t_ms.toFixed(1)));
      for (const lane of used) row.append(lane === laneOf(event) ? cell(event) : element("td", "lane"));
      row.onclick = () => show(event.number, false);
      rows.set(event.number, row);
      table.append(row);
    }
    left.replaceChildren(table);
    const older = data.left_out + found.length - shown.length;
    count.textContent = shown.length + " of " + events.length + " events" + (older ? ", " + older + " older ones are left out" : "");
  };
  draw();
})();
