// @vitest-environment happy-dom
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { CentraliSDK } from '@centrali-io/centrali-sdk';
import type { FunctionComponent, ReactElement, ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type * as Hooks from './index.ts';

/** What the tests use of React's two packages, which bring no types of their own. */
interface React {
  readonly version: string;
  act(run: () => unknown): Promise<void>;
  createElement<P extends object>(
    type: FunctionComponent<P> | string,
    props: P | null,
    ...children: ReactNode[]
  ): ReactElement;
  readonly StrictMode: FunctionComponent<{ children?: ReactNode }>;
}
interface Root {
  render(node: ReactNode): void;
  unmount(): void;
}

const root = join(import.meta.dirname, '../../..');

describe.each([
  ['18', join(root, 'test/react-18/package.json')],
  ['19', join(root, 'packages/react/package.json')],
])('React %s', (version, from) => {
  const require = createRequire(from);
  const react = require('react') as React;
  const { createRoot } = require('react-dom/client') as { createRoot(container: Element): Root };
  const { renderToString } = require('react-dom/server') as { renderToString(node: ReactNode): string };
  const { createElement: h, StrictMode, act } = react;
  let hooks: typeof Hooks;
  let mounted: Root | undefined;

  beforeEach(async () => {
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
    vi.resetModules();
    vi.doMock('react', () => ({ ...react }));
    hooks = await import('./index.ts');
  });
  afterEach(async () => {
    await act(() => mounted?.unmount());
    mounted = undefined;
    vi.doUnmock('react');
    vi.unstubAllGlobals();
  });

  /** Lets tasks and what follows from them happen. */
  const settle = (): Promise<void> =>
    act(async () => {
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    });

  async function render(node: ReactNode): Promise<HTMLElement> {
    const container = document.createElement('div');
    const created = (mounted ??= createRoot(container));
    await act(() => created.render(node));
    await settle();
    return container;
  }

  /** A client on a fetch that opens a stream for each GET, and notes what was asked. */
  function setUp(refusal?: () => Response | undefined) {
    const urls: URL[] = [];
    const streams: ReadableStreamDefaultController<Uint8Array>[] = [];
    const open = new Set<number>();
    const write = (text: string): void => streams.at(-1)?.enqueue(new TextEncoder().encode(text));
    const client = new CentraliSDK({
      baseUrl: 'https://example.com',
      workspaceId: 'demo',
      token: 't-1',
      async fetch(input, init) {
        urls.push(new URL(input as string));
        const refused = refusal?.();
        if (refused) return refused;
        const index = streams.length;
        const body = new ReadableStream<Uint8Array>({ start: (controller) => void streams.push(controller) });
        open.add(index);
        init?.signal?.addEventListener('abort', () => open.delete(index));
        write(
          `id: e-${index}0\nevent: system\ndata: {"type":"connected","connectionId":"c-${index}","resumed":false}\n\n`,
        );
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
      },
    });
    return { client, urls, open, write };
  }

  test(`is ${version}`, () => {
    expect(react.version.split('.')[0]).toBe(version);
  });

  test('one stream under StrictMode, and none after unmounting', async () => {
    const { client, urls, open, write } = setUp();
    const seen: string[] = [];
    const View = (): ReactElement => {
      const { state, connectionId, error } = hooks.useRealtime({ onEvent: (_event, { id }) => void seen.push(id) });
      return h('p', null, `${state} ${connectionId} ${error?.code ?? 'well'}`);
    };
    const container = await render(h(StrictMode, null, h(hooks.CentraliProvider, { client }, h(View, null))));
    expect(container.textContent).toBe('open c-0 well');
    expect([urls.length, open.size]).toEqual([1, 1]);
    write('id: e-1\ndata: {"event":"made"}\n\n');
    await settle();
    expect(seen).toEqual(['e-1']);
    await act(() => mounted?.unmount());
    expect([urls.length, open.size]).toEqual([1, 0]);
  });

  test('the handlers of the last render are called; only another selection opens anew, where it was', async () => {
    const { client, urls, open, write } = setUp();
    const seen: string[] = [];
    const View = ({ name, structures }: { name: string; structures: string[] }): null => {
      hooks.useRealtime({ structures, onEvent: (_event, { id }) => void seen.push(`${name} ${id}`) });
      return null;
    };
    const show = (name: string, structures: string[]) =>
      render(h(hooks.CentraliProvider, { client }, h(View, { name, structures })));
    await show('one', ['order']);
    await show('two', ['order']);
    expect(urls).toHaveLength(1);
    write('id: e-1\ndata: {"event":"made"}\n\n');
    await settle();
    expect(seen).toEqual(['two e-1']);
    await show('three', ['order', 'invoice']);
    expect(open).toEqual(new Set([1]));
    expect(Object.fromEntries(urls[1]!.searchParams)).toMatchObject({
      structures: 'order,invoice',
      last_event_id: 'e-1',
    });
  });

  test('another client begins anew', async () => {
    const first = setUp();
    const second = setUp();
    const View = (): null => {
      hooks.useRealtime({ onEvent() {}, lastEventId: 'e-9' });
      return null;
    };
    await render(h(hooks.CentraliProvider, { client: first.client }, h(View, null)));
    await render(h(hooks.CentraliProvider, { client: second.client }, h(View, null)));
    expect([first.open.size, second.open.size]).toEqual([0, 1]);
    expect(second.urls[0]!.searchParams.get('last_event_id')).toBe('e-9');
  });

  test('errors are shown, and gone when a stream is open', async () => {
    let code: string | undefined = 'TOKEN_EXPIRED';
    const { client } = setUp(() => (code ? Response.json({ code, message: 'x' }, { status: 401 }) : undefined));
    const told: string[] = [];
    const View = (): ReactElement => {
      const { state, error } = hooks.useRealtime({ onEvent() {}, onError: (error) => void told.push(error.code) });
      return h('p', null, `${state} ${error?.code ?? 'well'}`);
    };
    const container = await render(h(hooks.CentraliProvider, { client }, h(View, null)));
    expect(container.textContent).toBe('waiting_for_token TOKEN_EXPIRED');
    code = 'FORBIDDEN';
    client.setToken('t-2');
    await settle();
    expect(container.textContent).toBe('stopped FORBIDDEN');
    code = undefined;
    client.setToken('t-3');
    await settle();
    expect(container.textContent).toBe('open well');
    expect(told).toEqual(['TOKEN_EXPIRED', 'FORBIDDEN']);
  });

  test('a final error that nobody handles is printed', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { client } = setUp(() => Response.json({ code: 'FORBIDDEN', message: 'No.' }, { status: 403 }));
    const View = (): null => {
      hooks.useRealtime({ onEvent() {} });
      return null;
    };
    await render(h(hooks.CentraliProvider, { client }, h(View, null)));
    expect(print.mock.calls).toEqual([[expect.stringMatching(/^\[centrali\] FORBIDDEN: No\. Ask an administrator/)]]);
    print.mockRestore();
  });

  test('on a server nothing is opened', async () => {
    const { client, urls } = setUp();
    const View = (): ReactElement => h('p', null, hooks.useRealtime({ onEvent() {} }).state);
    expect(renderToString(h(hooks.CentraliProvider, { client }, h(View, null)))).toBe('<p>connecting</p>');
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(urls).toEqual([]);
  });

  test('without a provider it says what to do', () => {
    const View = (): null => {
      hooks.useCentrali();
      return null;
    };
    const print = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(() => renderToString(h(View, null))).toThrow('<CentraliProvider client={...}>');
    print.mockRestore();
  });
});
