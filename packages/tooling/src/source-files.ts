import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'oxc-parser';
import type { Program } from 'oxc-parser';

/** What one file takes from another module. */
export interface ModuleRequest {
  /** As written, such as `../store/store.ts` or `@joyul/core`. */
  readonly specifier: string;
  readonly line: number;
  /** True when only types are taken, so that nothing of it is there at run time. */
  readonly isType: boolean;
}

/** A TypeScript or JavaScript file of the repository. */
export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: Program;
  /** Static and dynamic imports and re-exports, types included. */
  readonly requests: readonly ModuleRequest[];
}

/** A package of the workspace, as its manifest declares it. */
export interface WorkspacePackage {
  /** Such as `@joyul/core`. */
  readonly name: string;
  /** Such as `packages/core`. */
  readonly folder: string;
  readonly exports: readonly string[];
  /** Everything that its code may import. */
  readonly dependencies: readonly string[];
}

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Parses one file and finds what it imports. */
export function parseSource(path: string, text: string): SourceFile {
  const { program, module } = parseSync(path, text);
  const requests = module.staticImports.map(({ entries, moduleRequest, start }) => ({
    specifier: moduleRequest.value,
    line: lineAt(text, start),
    isType: entries.length > 0 && entries.every((entry) => entry.isType),
  }));
  for (const { entries, start } of module.staticExports) {
    for (const { moduleRequest, isType } of entries)
      if (moduleRequest !== null)
        requests.push({ specifier: moduleRequest.value, line: lineAt(text, start), isType });
  }
  for (const { moduleRequest, start } of module.dynamicImports) {
    // Only a literal names a module; what is computed is loaded by name, such as a plugin.
    const literal = /^(['"])(.*)\1$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[2];
    if (literal !== undefined)
      requests.push({ specifier: literal, line: lineAt(text, start), isType: false });
  }
  return { path, text, program, requests };
}

/** Paths of the repository's code: what git tracks or would track. */
export function listSourcePaths(root: string): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  return listed
    .split('\0')
    .filter((path) => /\.(?:[cm]?ts|mjs)$/.test(path) && existsSync(join(root, path)))
    .sort();
}

/** Reads and parses all code of the repository. */
export function readSources(root: string): readonly SourceFile[] {
  return listSourcePaths(root).map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

interface Manifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** Reads the manifests of all packages. */
export function readPackages(root: string): readonly WorkspacePackage[] {
  return readdirSync(join(root, 'packages'))
    .filter((name) => existsSync(join(root, 'packages', name, 'package.json')))
    .sort()
    .map((name) => {
      const folder = `packages/${name}`;
      const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest; // npm's format.
      const all = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };
      return {
        name: manifest.name,
        folder,
        exports: Object.keys(manifest.exports ?? {}),
        dependencies: Object.keys(all),
      };
    });
}
