/** Breaches of the arrows below `packages`, as sentences, and the arrows that were seen. */
export function checkArrows(packages: string): { breaches: string[]; seen: Set<string> };
