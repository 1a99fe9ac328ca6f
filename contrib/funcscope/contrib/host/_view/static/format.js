// Numbers, times and units as people read them.

const DIGITS = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const WHOLE = new Intl.NumberFormat("en");

/** Format microseconds: `850 µs`, `12.3 ms`, `4.56 s`, `3 min 20 s`. */
export function duration(us) {
  if (us === null || us === undefined) return "";
  if (us < 1000) return `${DIGITS.format(us)} µs`;
  if (us < 999_500) return `${DIGITS.format(us / 1000)} ms`;
  const seconds = us / 1e6;
  if (seconds < 120) return `${DIGITS.format(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Format a number of things. */
export function whole(number) {
  return WHOLE.format(number);
}

/** Count things: `1 span`, `2,000 spans`. */
export function several(number, thing) {
  return `${whole(number)} ${thing}${number === 1 ? "" : "s"}`;
}

/** Format a time of day, from microseconds since 1970: `13:04:05.123`. */
export function clock(us) {
  const date = new Date(us / 1000);
  const two = (number) => String(number).padStart(2, "0");
  const ms = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

/** Format a day and a time, for those who look twice. */
export function moment(us) {
  return new Date(us / 1000).toISOString();
}

/** Format a metric's value in its unit (UCUM, as OpenTelemetry writes units). */
export function measure(value, unit) {
  if (typeof value !== "number") return String(value);
  if (unit === "s") return duration(value * 1e6);
  if (unit === "ms") return duration(value * 1e3);
  if (unit === "By") return bytes(value);
  const name = unit.replace(/^\{(.*)\}$/, "$1");
  return `${DIGITS.format(value)}${name && name !== "1" ? ` ${name}` : ""}`;
}

/** Format bytes. */
export function bytes(number) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (Math.abs(number) >= 1000 && step < units.length - 1) {
    number /= 1000;
    step += 1;
  }
  return `${DIGITS.format(number)} ${units[step]}`;
}

/** Return the text of an attribute's value. */
export function text(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}

/** Return a log record's text in one line. */
export function oneLine(value) {
  const whole = typeof value === "string" ? value : JSON.stringify(value ?? "");
  return whole.split("\n", 1)[0];
}
