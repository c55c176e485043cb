import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { StepPlugin } from '@joyul/plugin-api';
import type { ResolvedPlugin } from './graph.ts';

/** Finds plugins by the names that `uses:` has. */
export interface PluginCatalog {
  /** The plugin, or why there is none. */
  resolve(uses: string): Promise<ResolvedPlugin | PluginProblem>;
  /** Short names of plugins that are known to be installed, to suggest one. */
  readonly knownNames: readonly string[];
}

/** Why a plugin cannot be used. */
export interface PluginProblem {
  readonly problem: 'unknown' | 'invalid';
  readonly message: string;
}

/** The plugins that come with Joyul. */
export const ownPlugins: readonly string[] = [
  'prepare',
  'select',
  'strategy',
  'hparams',
  'init',
  'train',
  'evaluate',
  'test',
  'deploy',
  'command',
];

/** Package names that a `uses:` may mean, in the order in which they are tried. */
function candidatesOf(uses: string): readonly string[] {
  if (uses.includes('/') || uses.startsWith('@')) return [uses];
  return [`@joyul/step-${uses}`, `joyul-step-${uses}`, uses];
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly main?: string;
  readonly exports?:
    string | { readonly [condition: string]: string | { readonly [condition: string]: unknown } | undefined };
}

/** The folder of a package, found as Node finds it from one of the base folders. */
function findPackage(name: string, bases: readonly string[]): string | undefined {
  for (const base of bases) {
    for (let folder = base; ; folder = dirname(folder)) {
      const candidate = join(folder, 'node_modules', name);
      if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
      if (folder === dirname(folder)) break;
    }
  }
  return undefined;
}

/** Digest of a package's code, and of the code of the packages of its own workspace that it uses. */
class CodeDigests {
  readonly #known = new Map<string, string>();

  of(folder: string): string {
    const known = this.#known.get(folder);
    if (known !== undefined) return known;
    this.#known.set(folder, ''); // Ends a circle of packages.
    const hash = createHash('sha256');
    const manifest = readManifest(folder);
    hash.update(`${manifest.name}@${manifest.version}\n`);
    for (const file of codeFiles(folder)) hash.update(`${file}\n`).update(readFileSync(join(folder, file)));
    for (const name of Object.keys(manifest.dependencies ?? {}).sort()) {
      const version = manifest.dependencies?.[name] ?? '';
      const dependency = findPackage(name, [folder]);
      // Code in the same workspace changes without its version changing.
      const isOwn = version.startsWith('workspace:') && dependency !== undefined;
      hash.update(`${name} ${isOwn ? this.of(dependency) : version}\n`);
    }
    const digest = hash.digest('hex');
    this.#known.set(folder, digest);
    return digest;
  }
}

const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest; // npm's format.

function codeFiles(folder: string): readonly string[] {
  const source = existsSync(join(folder, 'src')) ? 'src' : 'dist';
  if (!existsSync(join(folder, source))) return [];
  const names = readdirSync(join(folder, source), { recursive: true, encoding: 'utf8' });
  return names
    .filter((name) => /\.[cm]?[jt]s$/.test(name) && !name.endsWith('.d.ts'))
    .map((name) => join(source, name))
    .sort();
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
      const folder = findPackage(packageName, bases);
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
    resolve(uses) {
      const known = resolved.get(uses) ?? load(uses);
      resolved.set(uses, known);
      return known;
    },
  };
}

/** The file that `import` of a package's root means; only the forms of `exports` that plugins use are read. */
function findEntry(folder: string): string {
  const { exports, main } = readManifest(folder);
  const root = typeof exports === 'object' && exports !== null && '.' in exports ? exports['.'] : exports;
  const target =
    typeof root === 'object' && root !== null ? (root['import'] ?? root['default']) : (root ?? main);
  return join(folder, typeof target === 'string' ? target : 'index.js');
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
