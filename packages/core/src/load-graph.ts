/** Loads a pipeline, or takes the graph that was kept when it was loaded last and nothing has changed since. */
import { readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Graph, GraphStep, PluginFacts } from './graph/graph.ts';
import type { LoadOptions, LoadResult } from './language/load-pipeline.ts';
import { formatCanonicalJson } from './util/canonical-json.ts';
import { checksumOf } from './util/hash.ts';
import { nodeFileSystem } from './util/file-system.ts';
import { codeOf, readChecked, writeChecked } from './util/files.ts';
import { realPlatform } from './util/platform.ts';
import { joyulVersion } from './util/version.ts';
import { readApart } from './read-apart.ts';

/** A file as it was: size, times and inode; null where there was none. */
type Identity = readonly [path: string, facts: string | null];

/** What is kept of a graph, and of all that decided it. */
interface Snapshot {
  readonly key: string;
  readonly files: readonly Identity[];
  readonly env: readonly (readonly [string, string | null])[];
  readonly plugins: readonly PluginFacts[];
  readonly graph: Omit<Graph, 'byId' | 'steps'>;
  /** Their plugins are numbers of the list above. */
  readonly steps: readonly (Omit<GraphStep, 'plugin'> & { readonly plugin: number })[];
}

/** As many snapshots are kept: other flags make another graph. */
const maxKept = 20;
/** A file changed this shortly ago may change again within the resolution of its times. */
const racyMs = 50;

function identify(path: string): Identity {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return [path, null];
  // What a folder holds is told by its times; its size is the disk's own business.
  return [path, `${stats.isDirectory() ? 0 : stats.size} ${stats.mtimeMs} ${stats.ctimeMs} ${stats.ino}`];
}

/** The engine's own code: another version of it may make another graph of the same file. */
function ownFiles(): readonly string[] {
  const folder = dirname(fileURLToPath(import.meta.url));
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const isCode = (name: string): boolean => /\.[cm]?[jt]s$/.test(name) && !name.endsWith('.d.ts');
  return entries.flatMap((entry) => (isCode(entry.name) ? [join(entry.parentPath, entry.name)] : []));
}

/** Everything in the options that may change the graph. */
function keyOf(options: LoadOptions): string {
  // These are told or asked, and what they give is looked at by itself.
  const { env: _env, catalog: _catalog, onRead: _onRead, ...rest } = options;
  const { boot } = realPlatform;
  return formatCanonicalJson({ boot, joyulVersion, ...rest });
}

const fileOf = ({ projectDir }: LoadOptions, key: string): string =>
  join(projectDir, '.joyul', 'graphs', `${checksumOf(Buffer.from(key))}.json`);

function readSnapshot(options: LoadOptions): Graph | undefined {
  const key = keyOf(options);
  const text = readChecked(nodeFileSystem, fileOf(options, key));
  if (text === undefined) return undefined;
  const snapshot = JSON.parse(text) as Snapshot; // Its checksum says that keepSnapshot wrote it.
  if (snapshot.key !== key) return undefined;
  const isSame =
    snapshot.env.every(([name, value]) => (options.env?.[name] ?? null) === value) &&
    snapshot.files.every(([path, facts]) => identify(path)[1] === facts);
  if (!isSame) return undefined;
  const steps = snapshot.steps.map((step): GraphStep => {
    const plugin = snapshot.plugins[step.plugin];
    if (plugin === undefined) throw new Error('Internal error: a kept graph has no such plugin.');
    return { ...step, plugin };
  });
  return { ...snapshot.graph, steps, byId: new Map(steps.map((step) => [step.id, step])) };
}

function keepSnapshot(
  graph: Graph,
  options: LoadOptions,
  paths: ReadonlySet<string>,
  env: Snapshot['env'],
): void {
  const plugins = [...new Set(graph.steps.map((step) => step.plugin))];
  const { byId: _byId, steps, ...rest } = graph;
  const key = keyOf(options);
  const snapshot: Snapshot = {
    key,
    files: [...paths].map(identify),
    env,
    plugins,
    graph: rest,
    steps: steps.map((step) => ({ ...step, plugin: plugins.indexOf(step.plugin) })),
  };
  const file = fileOf(options, key);
  try {
    writeChecked(nodeFileSystem, file, JSON.stringify(snapshot));
    const kept = nodeFileSystem.list(dirname(file)).map(({ name }) => join(dirname(file), name));
    if (kept.length <= maxKept) return;
    const byAge = kept.sort((left, right) => statSync(left).mtimeMs - statSync(right).mtimeMs);
    for (const old of byAge.slice(0, kept.length - maxKept)) nodeFileSystem.remove(old);
  } catch (error) {
    // Losing it costs time only; what is really wrong with the disk the run will tell.
    if (codeOf(error) === undefined) throw error;
  }
}

/** True when all paths have been as they are for long enough that another change would show in their times. */
function areSteady(paths: ReadonlySet<string>, nowMs: number): boolean {
  return [...paths].every((path) => {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined || nowMs - stats.ctimeMs >= racyMs;
  });
}

/**
 * A linked pipeline, or everything that is wrong with it. With `mayKeep` the graph is kept for the next time; with
 * `isFresh` one that was kept is not taken.
 */
export async function loadGraph(
  options: LoadOptions,
  { mayKeep, isFresh = false }: { readonly mayKeep: boolean; readonly isFresh?: boolean },
): Promise<LoadResult> {
  const kept = isFresh ? undefined : readSnapshot(options);
  if (kept !== undefined) return { ok: true, graph: kept, diagnostics: [] };
  if (mayKeep && !isFresh && (await readApart(options))) {
    const made = readSnapshot(options);
    // Where there is something to tell, or it could not be kept, it is read again here.
    if (made !== undefined) return { ok: true, graph: made, diagnostics: [] };
  }
  return loadHere(options, mayKeep);
}

/** Loads a pipeline in this process. */
export async function loadHere(options: LoadOptions, mayKeep: boolean): Promise<LoadResult> {
  const startMs = Date.now();
  const read = new Set<string>();
  const env = new Map<string, string | null>();
  const { loadPipeline } = await import('./language/load-pipeline.ts');
  const loaded = await loadPipeline({
    ...options,
    onRead: (file) => read.add(resolve(options.projectDir, file)),
    env: new Proxy(options.env ?? {}, {
      get: (values, name) => {
        const value = typeof name === 'string' ? values[name] : undefined;
        if (typeof name === 'string') env.set(name, value ?? null);
        return value;
      },
    }),
  });
  const { touched } = options.catalog;
  if (!mayKeep || !loaded.ok || loaded.diagnostics.length > 0 || touched === undefined) return loaded;
  const paths = new Set([...read, ...touched, ...ownFiles()]);
  if (areSteady(paths, startMs)) keepSnapshot(loaded.graph, options, paths, [...env]);
  return loaded;
}
