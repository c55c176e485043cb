/** Checks that imports follow the architecture: arrows between packages and engine folders, and no cycles. */
import { posix } from 'node:path';
import { coreArrows, packageArrows, stepArrows, testArrows } from './boundary-rules.ts';
import type { ModuleRequest, SourceFile, WorkspacePackage } from './source-files.ts';

const scope = '@joyul/';

/** The package folder's name of a path, such as `core`; undefined outside packages. */
const packageOf = (path: string): string | undefined => /^packages\/([^/]+)\//.exec(path)?.[1];

/** The package that a specifier names, without its subpath. */
function packageNameOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Where one import breaks a rule, in words; undefined when it is fine. */
function checkRequest(
  file: SourceFile,
  request: ModuleRequest,
  packages: ReadonlyMap<string, WorkspacePackage>,
): string | undefined {
  const { specifier } = request;
  const from = packageOf(file.path);
  if (from === undefined || specifier.startsWith('node:')) return undefined;
  if (specifier.startsWith('.')) return checkRelative(file.path, specifier, from);
  const name = packageNameOf(specifier);
  if (packages.get(from)?.dependencies.includes(name) === false && name !== `${scope}${from}`) {
    const isTooling = from === 'tooling' || (!file.path.includes('/src/') && name === 'vitest');
    if (!isTooling) return `imports ${name}, which ${scope}${from} does not declare`;
  }
  if (!name.startsWith(scope)) return undefined;
  return checkArrow(file.path, from, name.slice(scope.length));
}

function checkRelative(path: string, specifier: string, from: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  if (packageOf(target) !== from) return `reaches into another package by its path: ${specifier}`;
  const folderOf = (file: string): string | undefined => /^packages\/core\/src\/([^/]+)\//.exec(file)?.[1];
  const [folder, targetFolder] = [folderOf(path), folderOf(target)];
  if (folder === undefined || targetFolder === undefined || folder === targetFolder) return undefined;
  const allowed = coreArrows[folder];
  if (allowed === undefined) return `is in core/src/${folder}, which has no row in the table of folders`;
  if (['diagnostics', 'util', ...allowed].includes(targetFolder)) return undefined;
  return `is in core/src/${folder} and imports core/src/${targetFolder}`;
}

function checkArrow(path: string, from: string, to: string): string | undefined {
  const isTest = !path.includes('/src/');
  if (from === to) return isTest ? undefined : 'imports its own package by name';
  const arrows = from.startsWith('step-') ? stepArrows : (packageArrows[from] ?? []);
  if (arrows.includes(to) || (isTest && testArrows.includes(to))) return undefined;
  return `is in ${scope}${from}, which may not import ${scope}${to}`;
}

/** The cycles of a graph, each told once, by depth-first search. */
export function findCycles(edges: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const cycles: (readonly string[])[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    const at = path.indexOf(node);
    if (at !== -1) cycles.push([...path.slice(at), node]);
    if (at !== -1 || done.has(node)) return;
    path.push(node);
    for (const next of edges.get(node) ?? []) visit(next);
    path.pop();
    done.add(node);
  };
  for (const node of edges.keys()) visit(node);
  return cycles;
}

/** Edges between files of one package that are there at run time; a type may look back at what declares it. */
function fileEdges(files: readonly SourceFile[]): ReadonlyMap<string, readonly string[]> {
  return new Map(
    files.map((file) => [
      file.path,
      file.requests
        .filter(({ specifier, isType }) => !isType && specifier.startsWith('.'))
        .map(({ specifier }) => posix.join(posix.dirname(file.path), specifier)),
    ]),
  );
}

/** Edges between packages, from their sources; tests may look back. */
function packageEdges(files: readonly SourceFile[]): ReadonlyMap<string, readonly string[]> {
  const edges = new Map<string, string[]>();
  for (const file of files) {
    const from = packageOf(file.path);
    if (from === undefined || !file.path.includes('/src/')) continue;
    const targets = edges.get(from) ?? [];
    edges.set(from, targets);
    for (const { specifier } of file.requests)
      if (specifier.startsWith(scope)) targets.push(packageNameOf(specifier).slice(scope.length));
  }
  return edges;
}

/** Every place where the code's imports break the architecture, as `file:line: what`. */
export function findBoundaryProblems(
  files: readonly SourceFile[],
  packages: readonly WorkspacePackage[],
): readonly string[] {
  const byFolder = new Map(packages.map((item) => [item.folder.slice('packages/'.length), item]));
  const problems = files.flatMap((file) =>
    file.requests.flatMap((request) => {
      const problem = checkRequest(file, request, byFolder);
      return problem === undefined ? [] : [`${file.path}:${request.line}: ${problem}`];
    }),
  );
  for (const cycle of findCycles(fileEdges(files))) problems.push(`files in a cycle: ${cycle.join(' → ')}`);
  for (const cycle of findCycles(packageEdges(files)))
    problems.push(`packages in a cycle: ${cycle.join(' → ')}`);
  for (const { folder, exports } of packages)
    for (const path of exports)
      if (path.includes('*'))
        problems.push(`${folder}/package.json: exports "${path}"; every export needs its own name`);
  return problems;
}
