import { existsSync, globSync, readdirSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, posix, relative } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import type { Graph, GraphStep } from '../graph/graph.ts';
import type { StepPlaces } from '../graph/places.ts';
import { findNearest } from '../util/suggest.ts';

/** Where in the project a step writes, whatever it is then called in the store. */
const writesOf = (step: GraphStep): readonly string[] => Object.values(step.workspace.writes ?? {});

const isGlob = (path: string): boolean => /[*?[\]{}]/.test(path);

/** True when writing one path makes the other: it is the same, or one lies in the other. */
function overlaps(read: string, write: string): boolean {
  // Of a glob, the folders before its first special character say where it looks.
  const fixed = isGlob(read) ? read.slice(0, read.search(/[*?[\]{}]/)).replace(/[^/]*$/, '') : read;
  const [left, right] = [posix.join(fixed, '/'), posix.join(write, '/')];
  return left.startsWith(right) || right.startsWith(left);
}

/**
 * Every file that a step of the selection reads, and that neither is there nor will be when the step starts. Without
 * `places` it is told without its place.
 */
export function findMissingFiles(
  graph: Graph,
  places: StepPlaces | undefined,
  selected?: ReadonlySet<string>,
): readonly Diagnostic[] {
  const finder = new MissingFiles(graph);
  return graph.steps
    .filter((step) => step.isEnabled && selected?.has(step.id) !== false)
    .flatMap((step) =>
      (step.workspace.reads ?? []).flatMap(
        (path) => finder.check(step, path, places?.get(step.id)?.reads[path]) ?? [],
      ),
    );
}

class MissingFiles {
  readonly #graph: Graph;
  readonly #there = new Map<string, boolean>();
  readonly #told = new Set<string>();

  constructor(graph: Graph) {
    this.#graph = graph;
  }

  check(step: GraphStep, path: string, range: SourceRange | undefined): Diagnostic | undefined {
    if (this.#isThere(path)) return undefined;
    // Instances of a matrix read the same file in one place.
    const mark = JSON.stringify([range?.source.file, range?.start ?? step.group, path]);
    if (this.#told.has(mark)) return undefined;
    this.#told.add(mark);
    const writers = this.#graph.steps.filter((other) =>
      writesOf(other).some((write) => overlaps(path, write)),
    );
    const needed = this.#findNeeded(step);
    if (writers.some(({ id }) => needed.has(id))) return undefined;
    const [writer] = writers.filter(({ id }) => id !== step.id);
    const isPattern = isGlob(path);
    return {
      code: 'FILE_MISSING',
      // A pattern may rightly find nothing yet.
      severity: isPattern ? 'warning' : 'error',
      message: isPattern
        ? `The step "${step.group}" reads ${path}, and no file of the project matches it.`
        : `The step "${step.group}" reads ${path}, which does not exist in the project.`,
      ...(range === undefined ? {} : { range }),
      help: writer === undefined ? this.#suggest(path) : explainWriter(writer, path),
    };
  }

  #isThere(path: string): boolean {
    const known = this.#there.get(path);
    if (known !== undefined) return known;
    const { projectDir } = this.#graph;
    const found = isGlob(path)
      ? globSync(path, { cwd: projectDir }).length > 0
      : existsSync(join(projectDir, path));
    this.#there.set(path, found);
    return found;
  }

  /** The ids of all steps that come before one for certain. */
  #findNeeded(step: GraphStep): ReadonlySet<string> {
    const found = new Set(step.needs);
    // A set's iterator also visits what is added on the way.
    for (const id of found) for (const need of this.#graph.byId.get(id)?.needs ?? []) found.add(need);
    return found;
  }

  #suggest(path: string): string {
    if (isAbsolute(path) && existsSync(path))
      return `Paths are relative to the project: write "${relative(this.#graph.projectDir, path)}".`;
    const folder = dirname(path);
    const name = isGlob(path) ? undefined : findNearest(basename(path), this.#list(folder));
    if (name !== undefined) return `Did you mean "${posix.join(folder, name)}"?`;
    return 'Correct the path, which is relative to the project, or make the file.';
  }

  #list(folder: string): readonly string[] {
    try {
      return readdirSync(join(this.#graph.projectDir, folder)).sort();
    } catch {
      return []; // No folder, no suggestion.
    }
  }
}

function explainWriter(writer: GraphStep, path: string): string {
  const [port = 'port'] =
    Object.entries(writer.workspace.writes ?? {}).find(([, write]) => overlaps(path, write)) ?? [];
  return `The step "${writer.id}" writes it: wire \`${writer.id}.${port}\` to an input, so that it comes first.`;
}
