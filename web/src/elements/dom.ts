/** Small changes to a page, made only where something is another than before: they run several times a second. */

export function setText(node: HTMLElement, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes a parent's children follow a list: each item updates the child in its place, or makes one. */
export function renderList<Item>(parent: HTMLElement, items: readonly Item[], render: (node: HTMLElement | null, item: Item) => HTMLElement): void {
  items.forEach((item, index) => {
    const present = parent.children[index] as HTMLElement | undefined;
    const node = render(present ?? null, item);
    if (!present) parent.append(node);
  });
  while (parent.children.length > items.length) parent.lastElementChild?.remove();
}

export function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, className: string, children: readonly Node[] = []): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  node.className = className;
  node.append(...children);
  return node;
}

const sheets = new Map<string, CSSStyleSheet>();

/** One sheet for all elements of a page; constructed, so that no content security policy stands in its way. */
export function sheetOf(css: string): CSSStyleSheet {
  let sheet = sheets.get(css);
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    sheets.set(css, sheet);
  }
  return sheet;
}

/** Adds the style of a part that was loaded later. */
export function addStyle(part: HTMLElement, css: string): void {
  const root = part.getRootNode() as ShadowRoot;
  const sheet = sheetOf(css);
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
