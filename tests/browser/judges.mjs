// What is wrong with how a page looks, and what its tabs complain about. `wide` and `pale` run in the page.

// What is wider than the window.
export function wide() {
  const faults = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) faults.push(`the page is ${root.scrollWidth} px wide`);
  for (const item of document.querySelectorAll("body *")) {
    const box = item.getBoundingClientRect();
    if (box.width > 0 && (box.left < -1 || box.right > innerWidth + 1)) faults.push(`${item.tagName} ${item.id || item.className}: ${box.left}–${box.right}`);
  }
  return faults;
}

// Texts whose contrast is less than 4.5 to 1 (WCAG 2.2, 1.4.3).
export function pale() {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = numbers(colour).map((part) => part / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (item) => {
    const colour = getComputedStyle(item).backgroundColor;
    const isClear = numbers(colour)[3] === 0;
    return isClear && item.parentElement ? behind(item.parentElement) : colour;
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const item = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || item.getClientRects().length === 0) continue;
    const [one, other] = [luminance(getComputedStyle(item).color), luminance(behind(item))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) faults.push(`${ratio.toFixed(1)} ${walker.currentNode.data.trim().slice(0, 20)}`);
  }
  return faults;
}

// What the consoles of the tabs have complained about since the last call.
export async function complaints(browser, tabs) {
  const lines = [];
  for (const tab of tabs) {
    await tab.run(() => true); // in front: the log is the front tab's
    lines.push(...await browser.log());
  }
  return lines.filter((line) => line.level !== "INFO" && line.level !== "DEBUG").map((line) => line.message);
}
