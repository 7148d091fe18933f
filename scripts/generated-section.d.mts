/** `text` with what stands between the two markers of `name` replaced by `content`. */
export function withSection(text: string, name: string, content: string): string;
