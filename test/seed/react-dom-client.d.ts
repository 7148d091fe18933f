/** What the harness uses of `react-dom/client`, which brings no types of its own. */
declare module 'react-dom/client' {
  export function createRoot(container: Element): { render(node: unknown): void; unmount(): void };
}
