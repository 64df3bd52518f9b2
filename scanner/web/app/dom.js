/** Elements, made without markup in texts: what a gateway says is never read as HTML. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes (`on…` for listeners, `class`, `text`) and children.
 * @param {string} tag @param {Record<string, any>} attributes @param {...(Node | string | null | false)} children
 */
export function h(tag, attributes = {}, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

/** The same of SVG. */
export function svg(tag, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, tag), attributes, children);
}

function dressed(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Icons of one line each, 24 units wide. */
const PATHS = {
  back: "M15 5l-7 7 7 7",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  question: "M9 9a3 3 0 1 1 4.2 2.7c-.9.4-1.2 1-1.2 1.8v.5M12 17.5v.1",
  light: "M13 3L5 14h6l-1 7 8-11h-6l1-7z",
  keyboard: "M3 7h18v10H3zM6.5 10.2h.1M10 10.2h.1M13.5 10.2h.1M17 10.2h.1M8 13.8h8",
  sliders: "M4 8h8M18 8h2M4 16h2M12 16h8M15 5.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM9 13.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  list: "M8 7h12M8 12h12M8 17h12M4 7h.1M4 12h.1M4 17h.1",
  camera: "M4 8h3l1.5-2.5h7L17 8h3v11H4zM12 10.200a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.600z",
  flag: "M6 21V4h11l-2 4 2 4H6",
  undo: "M9 6L4.5 10.5 9 15M5 10.5h9a5 5 0 0 1 0 10h-2",
  zoom: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
};

/** A decorative icon; its button or text says what it means. @param {string} name */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}

/** The verdict's shape: told apart without colour, and from afar. @param {"go" | "stop" | "care" | "unknown"} kind */
export function shape(kind) {
  const outline = {
    go: svg("circle", { cx: 48, cy: 48, r: 44 }),
    stop: svg("path", { d: "M30 4h36l26 26v36L66 92H30L4 66V30z" }),
    care: svg("path", { d: "M48 6c2.5 0 4.8 1.3 6 3.5l37 68c2.5 4.6-.8 10.5-6 10.5H11c-5.2 0-8.5-5.9-6-10.5l37-68C43.2 7.3 45.5 6 48 6z" }),
    unknown: svg("rect", { x: 6, y: 6, width: 84, height: 84, rx: 20 }),
  }[kind];
  const mark = {
    go: "M28 50l14 14 27-30",
    stop: "M33 33l30 30M63 33L33 63",
    care: "M48 34v26M48 73v.1",
    unknown: "M37 38a11.5 11.5 0 1 1 16 10.5c-3.5 1.5-5 4-5 7v2M48 70v.1",
  }[kind];
  return svg("svg", { class: "shape", viewBox: "0 0 96 96", "aria-hidden": "true", focusable: "false" }, outline, svg("path", { class: "mark", d: mark }));
}
