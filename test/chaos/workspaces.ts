/** Workspaces with an account each, in a data folder and in a running server. */
import { type Dev, runCommand } from '../support/centrali.ts';

/** A workspace and the account that may do everything in it. */
export interface Workspace {
  readonly workspace: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Makes workspaces in a data folder, as an operator would, before a server is started on it. */
export async function makeWorkspaces(data: string, count: number): Promise<Workspace[]> {
  const made: Workspace[] = [];
  for (let i = 0; i < count; i++) {
    const { code, stdout, stderr } = await runCommand(['workspace', 'create', `chaos-${i}`, '--data', data, '--json']);
    if (code !== 0) throw new Error(`workspace create: ${stderr}`);
    made.push(JSON.parse(stdout) as Workspace);
  }
  return made;
}

/** A token of the account, by client credentials. */
export async function tokenOf(
  { baseUrl }: Pick<Dev, 'baseUrl'>,
  { clientId, clientSecret }: Pick<Workspace, 'clientId' | 'clientSecret'>,
): Promise<string> {
  const response = await fetch(`${baseUrl}/oidc/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }),
  });
  const { access_token } = (await response.json()) as { access_token?: string };
  if (access_token === undefined) throw new Error(`no token: HTTP ${response.status}`);
  return access_token;
}

/** The path of a workspace's events. */
export function eventsPath({ workspace }: Pick<Workspace, 'workspace'>): string {
  return `/realtime/workspace/${workspace}/events`;
}
