/** Stands for `your-auth-provider` of the guide: whoever keeps the user's login. */

/** What the provider knows. */
export interface Auth {
  readonly token: string;
  refreshToken(): Promise<string>;
}

/** The hook. */
export function useAuth(): Auth {
  return (globalThis as unknown as { seed: { auth: Auth } }).seed.auth;
}
