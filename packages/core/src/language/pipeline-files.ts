/** Reads a pipeline file and all files that it names: bases, included files, and pipelines that steps use. */
import { posix } from 'node:path';
import type { Diagnostic, DiagnosticCode } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { Composer, applyDefaults, applyProfile, resolveFile } from './compose.ts';
import type { ParsedDocument } from './document.ts';
import { makeDocument, parseDocument } from './document.ts';
import { explainName, explainSchemaErrors } from './explain-schema.ts';
import { pipelineSchema } from './pipeline-schema.ts';
import type { PipelineSpec } from './pipeline-spec.ts';
import { readSource } from './read-source.ts';
import { validateValue } from './schema-validator.ts';
import { isWordLikeTruth } from './tree-builder.ts';
import type { MapTree, Tree } from './tree.ts';
import { entryOf } from './tree.ts';

type Report = (diagnostic: Diagnostic) => void;

/** A pipeline file whose shape is right, and the files that its steps use. */
export interface PipelineFile {
  /** Relative to the project. */
  readonly file: string;
  /** Without its `defaults` in its steps, so that those of a pipeline that uses it can come between. */
  readonly tree: MapTree;
  /** With them. */
  readonly document: ParsedDocument;
  readonly spec: PipelineSpec;
  /** By name of the step that uses it. */
  readonly uses: ReadonlyMap<string, PipelineFile>;
  /** True when steps were left out because their shape is wrong, so that the mistakes in others are told as well. */
  readonly isPartial?: boolean;
}

/** True for a `uses:` that names a pipeline file and not a plugin. */
const isFile = (uses: string): boolean => /^\.{0,2}\//.test(uses) || /\.(ya?ml|json)$/i.test(uses);

const wording = {
  owner: 'The pipeline',
  noun: 'key',
  codes: { wrong: 'WRONG_TYPE', unknown: 'UNKNOWN_KEY' },
} as const;

const fileProblems = {
  missing: { help: 'Check the path.' },
  unreadable: { help: 'Check the path.' },
  'too large': { code: 'FILE_TOO_LARGE', help: 'Put data into files that steps read.' },
  'not text': { code: 'FILE_ENCODING', help: 'Save it as UTF-8.' },
} as const;

/** A step that uses a file, on the way to the file that is being read. */
interface Link {
  readonly file: string;
  readonly range: SourceRange;
}

/** Where files are, and who is told of them. */
interface FileOptions {
  /** Absolute. */
  readonly projectDir: string;
  /** Told each file that is looked for; relative to the project. */
  readonly onRead?: (file: string) => void;
}

/** Reads the files of one load, each once. */
export class PipelineFiles {
  readonly #yaml: typeof import('yaml');
  readonly #options: FileOptions;
  readonly #report: Report;
  readonly #known = new Map<string, PipelineFile | undefined>();

  constructor(yaml: typeof import('yaml'), options: FileOptions, report: Report) {
    this.#yaml = yaml;
    this.#options = options;
    this.#report = report;
  }

  /** All pipelines that were read. */
  get all(): readonly PipelineFile[] {
    return [...this.#known.values()].filter((file) => file !== undefined);
  }

  /** The pipeline that is run, with its profile. */
  load(file: string, profile: string | undefined): PipelineFile | undefined {
    const name = posix.normalize(file);
    const tree = this.#compose(name, 'FILE_UNREADABLE');
    const chosen =
      tree === undefined || profile === undefined ? tree : applyProfile(tree, profile, this.#report);
    const pipeline = chosen === undefined ? undefined : this.#finish(name, chosen, []);
    this.#known.set(name, pipeline);
    return pipeline;
  }

  /** A file that is no pipeline, such as a params file. `missing` is the code for one that is not there. */
  readDocument(file: string, missing: DiagnosticCode, from?: SourceRange): ParsedDocument | undefined {
    this.#options.onRead?.(file);
    const found = readSource(this.#options.projectDir, file);
    if ('problem' in found) {
      const { code = missing, help }: { readonly code?: DiagnosticCode; readonly help: string } =
        fileProblems[found.problem];
      const range = from === undefined ? {} : { range: from };
      this.#report({ code, severity: 'error', message: found.message, ...range, help });
      return undefined;
    }
    const { document, diagnostics } = parseDocument(this.#yaml, { file, text: found.text });
    diagnostics.forEach(this.#report);
    return document;
  }

  #readMap(file: string, missing: DiagnosticCode, from?: SourceRange): MapTree | undefined {
    const document = this.readDocument(file, missing, from);
    if (document === undefined || document.tree.kind === 'map') return document?.tree as MapTree | undefined; // Its kind says so.
    explainSchemaErrors(validateValue({ type: 'object' }, document.value), document, wording).forEach(
      this.#report,
    );
    return undefined;
  }

  /** A file put together with its bases and its included files. */
  #compose(file: string, missing: DiagnosticCode, from?: SourceRange): MapTree | undefined {
    const root = this.#readMap(file, missing, from);
    if (root === undefined) return undefined;
    const read = (inner: string, range: SourceRange): MapTree | undefined =>
      this.#readMap(inner, 'INCLUDE_UNREADABLE', range);
    return new Composer(read, this.#report).compose(file, root);
  }

  /** Checks a file and reads the pipelines that its steps use. */
  #finish(file: string, tree: MapTree, chain: readonly Link[]): PipelineFile | undefined {
    const document = makeDocument(applyDefaults(tree));
    let isRight = true;
    const report = (diagnostic: Diagnostic): void => {
      isRight &&= diagnostic.severity !== 'error';
      this.#report(diagnostic);
    };
    const broken = validateShape(document, report);
    const uses = this.#readUsed(file, document, chain);
    // What is used is read also when this file has mistakes, so that all of them are told at once.
    if (isRight) return { file, tree, document, spec: document.value as PipelineSpec, uses }; // The schema has just been checked.
    return broken === undefined || chain.length > 0 ? undefined : makePartial({ file, tree, uses }, broken);
  }

  #readUsed(
    file: string,
    document: ParsedDocument,
    chain: readonly Link[],
  ): ReadonlyMap<string, PipelineFile> {
    const steps = entryOf(document.tree, 'steps')?.value;
    const found = new Map<string, PipelineFile>();
    for (const [name, { value }] of steps?.kind === 'map' ? steps.entries : []) {
      const uses = entryOf(value, 'uses')?.value;
      if (uses?.kind !== 'scalar' || typeof uses.value !== 'string' || !isFile(uses.value)) continue;
      // A step may come from an included file in another folder.
      const target = resolveFile(uses.range.source.file, uses.value);
      const used = this.#readPipeline(target, [...chain, { file, range: uses.range }]);
      if (used !== undefined) found.set(name, used);
    }
    return found;
  }

  #readPipeline(file: string, chain: readonly Link[]): PipelineFile | undefined {
    const from = chain.at(-1)?.range;
    const first = chain.findIndex((link) => link.file === file);
    if (first !== -1) {
      const circle = chain.slice(first);
      this.#report({
        code: 'INCLUDE_CYCLE',
        severity: 'error',
        message: `${file} uses itself: ${[...circle.map((link) => link.file), file].join(' → ')}.`,
        ...(from === undefined ? {} : { range: from }),
        notes: circle.slice(0, -1).map((link) => ({
          message: `${link.file} names the next file here.`,
          range: link.range,
        })),
        help: 'Remove one of the links.',
      });
      return undefined;
    }
    if (this.#known.has(file)) return this.#known.get(file);
    const tree = this.#compose(file, 'INCLUDE_UNREADABLE', from);
    const pipeline = tree === undefined ? undefined : this.#finish(file, tree, chain);
    this.#known.set(file, pipeline);
    return pipeline;
  }
}

/** A file without its broken steps; undefined when nothing is left. */
function makePartial(
  { file, tree, uses }: Pick<PipelineFile, 'file' | 'tree' | 'uses'>,
  broken: ReadonlySet<string>,
): PipelineFile | undefined {
  const steps = entryOf(tree, 'steps');
  if (steps?.value.kind !== 'map') return undefined;
  const left = [...steps.value.entries].filter(([name, { value }]) => {
    const target = entryOf(value, 'uses')?.value;
    const isUnread = target?.kind === 'scalar' && isFile(String(target.value)) && !uses.has(name);
    return !broken.has(name) && !isUnread;
  });
  if (left.length === 0) return undefined;
  const entries = new Map(tree.entries);
  entries.set('steps', { ...steps, value: { ...steps.value, entries: new Map(left) } });
  const rest: MapTree = { ...tree, entries };
  const document = makeDocument(applyDefaults(rest));
  if (validateValue(pipelineSchema, document.value).length > 0) return undefined;
  return { file, tree: rest, document, spec: document.value as PipelineSpec, uses, isPartial: true }; // As above.
}

/** Names of the steps in which all errors are; undefined when one is elsewhere, or there is none. */
function findBrokenSteps(errors: ReturnType<typeof validateValue>): ReadonlySet<string> | undefined {
  const names = errors.map(({ instancePath }) => /^\/steps\/([^/]+)/.exec(instancePath)?.[1]);
  const known = names.filter((name) => name !== undefined);
  if (known.length === 0 || known.length < names.length) return undefined;
  return new Set(known.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~')));
}

/** Maps whose keys are names that something else refers to. */
const namedMaps: readonly string[] = ['params', 'inputs', 'outputs', 'pools', 'profiles', 'steps'];

/**
 * Names that look alike must be alike: a name that is typed composes its letters, one that is pasted may not.
 * References and expressions are composed when they are read.
 */
function checkForms(document: ParsedDocument, report: Report): void {
  const check = (path: readonly string[], tree: Tree | undefined): void => {
    for (const name of tree?.kind === 'map' ? tree.entries.keys() : [])
      if (name !== name.normalize('NFC')) report(explainName(name, path, document));
  };
  for (const key of namedMaps) check([key], entryOf(document.tree, key)?.value);
  const steps = entryOf(document.tree, 'steps')?.value;
  for (const [name, { value }] of steps?.kind === 'map' ? steps.entries : [])
    check(['steps', name, 'matrix'], entryOf(value, 'matrix')?.value);
}

/** Tells what is wrong with a file's shape; gives the steps in which all of it is, if that is so. */
function validateShape(document: ParsedDocument, report: Report): ReadonlySet<string> | undefined {
  const errors = validateValue(pipelineSchema, document.value);
  explainSchemaErrors(errors, document, wording).forEach(report);
  checkForms(document, report);
  const params = entryOf(document.tree, 'params')?.value;
  for (const [name, { value }] of params?.kind === 'map' ? params.entries : []) {
    if (value.kind !== 'scalar' || !isWordLikeTruth(value)) continue;
    report({
      code: 'YAML_WORD',
      severity: 'warning',
      message: `The param "${name}" is the text "${String(value.value)}" and not a truth value.`,
      range: value.range,
      help: `Write true or false, or put the text in quotes.`,
    });
  }
  return findBrokenSteps(errors);
}
