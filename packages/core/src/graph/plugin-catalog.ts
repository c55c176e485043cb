import { pathToFileURL } from 'node:url';
import type { StepPlugin } from '@joyul/plugin-api';
import { CodeDigests, findEntry, readManifest } from './code-digests.ts';
import type { ResolvedPlugin } from './graph.ts';

/** Finds plugins by the names that `uses:` has. */
export interface PluginCatalog {
  /** The plugin, or why there is none. */
  resolve(uses: string): Promise<ResolvedPlugin | PluginProblem>;
  /** Short names of plugins that are known to be installed, to suggest one. */
  readonly knownNames: readonly string[];
  /** Every path that decided what was resolved so far: code, folders, and places where nothing was found. */
  readonly touched?: ReadonlySet<string>;
  /** Folders from which packages are found, so that another process can make the same catalog. */
  readonly bases?: readonly string[];
}

/** Why a plugin cannot be used. */
export interface PluginProblem {
  readonly problem: 'unknown' | 'invalid';
  readonly message: string;
}

/** The plugins that come with Joyul. */
export const ownPlugins: readonly string[] = [
  'prepare',
  'synthesise',
  'select',
  'strategy',
  'hparams',
  'init',
  'train',
  'evaluate',
  'choose',
  'test',
  'deploy',
  'command',
];

/** Package names that a `uses:` may mean, in the order in which they are tried. */
function candidatesOf(uses: string): readonly string[] {
  if (uses.includes('/') || uses.startsWith('@')) return [uses];
  return [`@joyul/step-${uses}`, `joyul-step-${uses}`, uses];
}

function isPlugin(value: unknown): value is StepPlugin {
  if (typeof value !== 'object' || value === null) return false;
  const plugin = value as Partial<StepPlugin>; // Each field is looked at below.
  return (
    typeof plugin.name === 'string' &&
    typeof plugin.revision === 'number' &&
    typeof plugin.run === 'function' &&
    typeof plugin.params === 'object' &&
    typeof plugin.inputs === 'object' &&
    typeof plugin.outputs === 'object'
  );
}

/** A catalog of the packages that are installed for a project, and of those that come with Joyul. */
export function makePluginCatalog(bases: readonly string[]): PluginCatalog {
  const digests = new CodeDigests();
  const resolved = new Map<string, Promise<ResolvedPlugin | PluginProblem>>();
  const load = async (uses: string): Promise<ResolvedPlugin | PluginProblem> => {
    for (const packageName of candidatesOf(uses)) {
      const folder = digests.findPackage(packageName, bases);
      if (folder === undefined) continue;
      const entry = findEntry(folder);
      const loaded = await loadPlugin(folder, packageName, entry);
      return 'problem' in loaded
        ? loaded
        : {
            packageName,
            version: readManifest(folder).version,
            entry: loaded.entry,
            codeDigest: digests.of(folder),
            plugin: loaded.plugin,
          };
    }
    return { problem: 'unknown', message: `No installed package is the plugin "${uses}".` };
  };
  return {
    knownNames: ownPlugins,
    touched: digests.touched,
    bases,
    resolve(uses) {
      const known = resolved.get(uses) ?? load(uses);
      resolved.set(uses, known);
      return known;
    },
  };
}

async function loadPlugin(
  folder: string,
  packageName: string,
  entry: string,
): Promise<{ readonly plugin: StepPlugin; readonly entry: string } | PluginProblem> {
  try {
    const module = (await import(pathToFileURL(entry).href)) as { readonly default?: unknown }; // Looked at next.
    if (isPlugin(module.default)) return { plugin: module.default, entry };
    return {
      problem: 'invalid',
      message: `${packageName} is installed, but its default export is not a step plugin.`,
    };
  } catch (error) {
    return {
      problem: 'invalid',
      message: `${packageName} is installed in ${folder}, but cannot be loaded: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}
