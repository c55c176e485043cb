import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { createSha256 } from '../util/hash.ts';

/** What is read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly main?: string;
  readonly exports?:
    string | { readonly [condition: string]: string | { readonly [condition: string]: unknown } | undefined };
}

/** Reads the package.json of a folder. */
export const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest; // npm's format.

/** The file that `import` of a package's root means; only the forms of `exports` that plugins use are read. */
export function findEntry(folder: string): string {
  const { exports, main } = readManifest(folder);
  const root = typeof exports === 'object' && exports !== null && '.' in exports ? exports['.'] : exports;
  const target =
    typeof root === 'object' && root !== null ? (root['import'] ?? root['default']) : (root ?? main);
  return join(folder, typeof target === 'string' ? target : 'index.js');
}

/** The folder of a package that has its code: `src`, `dist`, `lib`, or the package itself. */
function findCodeFolder(folder: string): string {
  const entry = findEntry(folder);
  const [first = '', ...rest] = relative(folder, entry).split(sep);
  if (existsSync(entry) && first !== '..') return rest.length > 0 ? first : '';
  return existsSync(join(folder, 'src')) ? 'src' : 'dist';
}

/** Finds packages and digests their code, and that of the packages of their own workspace that they use. */
export class CodeDigests {
  readonly #known = new Map<string, string>();
  /** Every path that decided something, those where nothing was found included. */
  readonly touched = new Set<string>();

  of(folder: string): string {
    const known = this.#known.get(folder);
    if (known !== undefined) return known;
    this.#known.set(folder, ''); // Ends a circle of packages.
    const hash = createSha256();
    const manifest = readManifest(folder);
    hash.update(`${manifest.name}@${manifest.version}\n`);
    for (const file of this.#codeFiles(folder))
      hash.update(`${file}\n`).update(readFileSync(join(folder, file)));
    for (const name of Object.keys(manifest.dependencies ?? {}).sort()) {
      const version = manifest.dependencies?.[name] ?? '';
      // Code in the same workspace changes without its version changing.
      const dependency = version.startsWith('workspace:') ? this.findPackage(name, [folder]) : undefined;
      hash.update(`${name} ${dependency === undefined ? version : this.of(dependency)}\n`);
    }
    const digest = hash.digest('hex');
    this.#known.set(folder, digest);
    return digest;
  }

  /** The folder of a package, found as Node finds it from one of the base folders. */
  findPackage(name: string, bases: readonly string[]): string | undefined {
    for (const base of bases) {
      for (let folder = base; ; folder = dirname(folder)) {
        const candidate = join(folder, 'node_modules', name);
        this.touched.add(join(candidate, 'package.json'));
        if (existsSync(join(candidate, 'package.json'))) return realpathSync(candidate);
        if (folder === dirname(folder)) break;
      }
    }
    return undefined;
  }

  #codeFiles(folder: string): readonly string[] {
    const source = findCodeFolder(folder);
    this.touched.add(join(folder, 'package.json')).add(join(folder, source));
    if (!existsSync(join(folder, source))) return [];
    const entries = readdirSync(join(folder, source), { recursive: true, withFileTypes: true });
    const files: string[] = [];
    for (const entry of entries) {
      const path = join(entry.parentPath, entry.name);
      // The packages that it uses are counted by their versions.
      if (relative(folder, path).split(sep).includes('node_modules')) continue;
      const isCode = /\.[cm]?[jt]s$/.test(entry.name) && !entry.name.endsWith('.d.ts');
      // A folder changes when a file in it is added or removed.
      if (entry.isDirectory() || isCode) this.touched.add(path);
      if (isCode && !entry.isDirectory()) files.push(path.slice(folder.length + 1));
    }
    return files.sort();
  }
}
