/** The names that the guide's React component leaves to its reader, in a page that the test drives. */
import type { RealtimeEvent } from '@centrali-io/centrali-sdk';
import { createElement, StrictMode, version } from 'react';
import { createRoot } from 'react-dom/client';
import type { Auth } from './auth-provider.ts';

/** What the page and the test share. */
export interface Shared {
  auth: Auth;
  events: RealtimeEvent[];
  version: string;
  /** Draws the component again, as an application does when its login provider has a new token. */
  render(): void;
  unmount(): void;
}

const shared = globalThis as unknown as { seed: Shared };

export const handleEvent = (event: RealtimeEvent): void => void shared.seed.events.push(event);

/** Mounts the component. */
export function show(component: () => void): void {
  const root = createRoot(document.getElementById('root') as HTMLElement);
  shared.seed.version = version;
  shared.seed.render = () => root.render(createElement(StrictMode, null, createElement(component as never)));
  shared.seed.unmount = () => root.unmount();
  shared.seed.render();
}
