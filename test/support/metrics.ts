/** Reads the Prometheus text of the internal listener. */

/** All samples: name with labels to value. */
export async function readMetrics(internalUrl: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${internalUrl}/metrics`);
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
  const samples = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)/.exec(line);
    if (match?.[1] !== undefined) samples.set(match[1], Number(match[2]));
  }
  return samples;
}

/** The sum of a metric over all its labels; 0 when there is no sample yet. */
export async function metric(internalUrl: string, name: string): Promise<number> {
  let sum = 0;
  for (const [sample, value] of await readMetrics(internalUrl)) {
    if (sample === name || sample.startsWith(`${name}{`)) sum += value;
  }
  return sum;
}

/** How many questions the gateway has put to IAM so far. */
export function iamChecks(internalUrl: string): Promise<number> {
  return metric(internalUrl, 'centrali_iam_checks_total');
}
