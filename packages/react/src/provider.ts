import type { CentraliSDK } from '@centrali-io/centrali-sdk';
import { createContext, createElement, type ReactElement, type ReactNode, useContext } from 'react';

const ClientContext = createContext<CentraliSDK | null>(null);

/** What the provider takes. */
export interface CentraliProviderProps {
  /** The client that everything below uses. Make it once, outside of components. */
  readonly client: CentraliSDK;
  readonly children?: ReactNode;
}

/** Gives a client to the hooks below. */
export function CentraliProvider({ client, children }: CentraliProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children);
}

/** The client of the nearest provider. Throws outside of one. */
export function useCentrali(): CentraliSDK {
  const client = useContext(ClientContext);
  if (!client) throw new Error('Put <CentraliProvider client={...}> around the components that use Centrali.');
  return client;
}
