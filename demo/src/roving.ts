/** Rows that Page Up and Page Down go. */
const PAGE = 10;

/** Moves the focus along a list with arrow keys, Home, End and the page keys: one stop for the Tab key, however long it is. */
export function moveFocus(event: KeyboardEvent, elements: readonly HTMLElement[]): void {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const at = elements.indexOf(document.activeElement as HTMLElement);
  if (at < 0) return;
  const steps: Record<string, number> = {
    ArrowDown: 1,
    ArrowRight: 1,
    ArrowUp: -1,
    ArrowLeft: -1,
    PageDown: PAGE,
    PageUp: -PAGE,
    Home: -elements.length,
    End: elements.length,
  };
  const step = steps[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const next = elements[Math.min(Math.max(at + step, 0), elements.length - 1)]!;
  elements[at]!.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}
