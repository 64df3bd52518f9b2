// What on the page breaks WCAG 2.2: 1.4.3 (contrast of text), 2.5.8 (size of targets, here 44 pixels). An expression.
(() => {
  const found = [];
  const parsed = (text) => {
    const numbers = text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
    const scale = text.startsWith("color(") ? 255 : 1;
    return { rgb: numbers.slice(0, 3).map((one) => one * scale), alpha: numbers[3] ?? 1 };
  };
  const over = (top, under) => top.rgb.map((one, i) => one * top.alpha + under[i] * (1 - top.alpha));
  /** The colour behind an element: its own and its parents' grounds, laid over each other. */
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      const layer = parsed(getComputedStyle(one).backgroundColor);
      if (layer.alpha > 0) layers.push(layer);
      if (layer.alpha === 1) break;
    }
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const top = document.querySelector("dialog[open]") ?? document.querySelector("main");
  const words = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const element = words.currentNode.parentElement;
    if (!words.currentNode.textContent.trim() || !element.checkVisibility() || element.closest(".visually-hidden, .scan, option, :disabled")) continue;
    const style = getComputedStyle(element);
    const colour = parsed(element.namespaceURI.endsWith("svg") ? style.fill : style.color);
    const behind = ground(element);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const is = ratio(over(colour, behind), behind);
    if (is < least) found.push(`${is.toFixed(2)}:1 for “${words.currentNode.textContent.trim().slice(0, 40)}”`);
  }
  for (const target of top.querySelectorAll("button, input, select, textarea, a")) {
    if (!target.checkVisibility() || target.closest(".visually-hidden")) continue;
    const { width, height } = target.getBoundingClientRect();
    if (width < 44 || height < 44) found.push(`${Math.round(width)}×${Math.round(height)} px for ${target.getAttribute("aria-label") ?? target.name ?? target.innerText}`);
  }
  return found;
})()
