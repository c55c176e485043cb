/** A process that reads one large pipeline, keeps its graph and ends; its options come on stdin. */
import { readFileSync } from 'node:fs';
import { makePluginCatalog } from './graph/plugin-catalog.ts';
import { loadHere } from './load-graph.ts';
import type { SentOptions } from './read-apart.ts';

const { bases, ...options } = JSON.parse(readFileSync(0, 'utf8')) as SentOptions; // Written by readApart.
const load = async (): Promise<void> => {
  const loaded = await loadHere({ ...options, catalog: makePluginCatalog(bases) }, true);
  process.exitCode = loaded.ok ? 0 : 1;
};
// Not awaited at the top: the built command is CommonJS.
void load();
