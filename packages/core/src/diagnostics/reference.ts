import type { CatalogueEntry } from './catalogue.ts';
import { catalogue } from './catalogue.ts';

const entries: readonly (readonly [string, CatalogueEntry])[] = Object.entries(catalogue);

const formatEntry = ([code, { title, meaning, help }]: readonly [string, CatalogueEntry]): string =>
  `## ${code}\n\n**${title}.** ${meaning}\n\n${help}\n`;

/** The entry of one code for people who look it up; undefined for a code that does not exist. */
export function explainCode(code: string): string | undefined {
  const found = entries.find(([name]) => name === code.toUpperCase());
  if (found === undefined) return undefined;
  const [name, { title, meaning, help }] = found;
  return `${name}: ${title}.\n${meaning}\n${help}\n`;
}

/** The reference page of all codes, in Markdown. */
export function formatReference(): string {
  return `# Messages

Every message about a pipeline has a code, which never changes. Each is told with its place, what was found and what to
type; all mistakes of a pipeline are told at once. \`joyul validate --json\` gives the same as JSON, and
\`joyul errors CODE\` this page's words in a terminal. A code such as \`train/WARMUP_TOO_LONG\` is a plugin's own.

This page is made by \`npm run joyul -- errors > docs/errors.md\`.

${entries.map(formatEntry).join('\n')}`;
}
