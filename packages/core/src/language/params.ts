import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest } from '../util/suggest.ts';
import type { ParsedDocument } from './document.ts';
import { locateIn } from './document.ts';
import { evaluateValue } from './evaluate-value.ts';
import type { Locator } from './explain-schema.ts';
import { describeSchema, explainSchemaErrors, showValue } from './explain-schema.ts';
import { unknownValue } from './expression.ts';
import { checkDeclaration, isDeclaration } from './param-declaration.ts';
import { validateValue } from './schema-validator.ts';
import { entryOf } from './tree.ts';

type Report = (diagnostic: Diagnostic) => void;
type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value of a param that comes from outside the pipeline. */
export interface ParamOverride {
  readonly value: unknown;
  /** As it was typed on a command line, which knows no types. */
  readonly text?: string;
  /** Where it, and what is in it, stands in a file. */
  readonly locator?: Locator;
}

/** What resolving params needs. */
export interface ParamParts {
  readonly document: ParsedDocument;
  readonly overrides: ReadonlyMap<string, ParamOverride>;
  /** What else expressions in params see: `env`, `secrets`, `run`. */
  readonly scope: Fields;
  readonly report: Report;
  /** The step that uses this pipeline file; absent for the pipeline that is run. */
  readonly user?: { readonly file: string; readonly range: SourceRange };
  /** True where a param without a value is no mistake, since the pipeline is only checked. */
  readonly isOpen?: boolean;
}

/** The final values of all params: defaults, overrides, expressions computed, declarations checked. */
export function resolveParams(parts: ParamParts): Fields {
  const root = entryOf(parts.document.tree, 'params')?.value;
  const names = root?.kind === 'map' ? [...root.entries.keys()] : [];
  const resolver = new ParamResolver(parts, names);
  return Object.fromEntries(names.map((name) => [name, resolver.get(name)]));
}

class ParamResolver {
  readonly #parts: ParamParts;
  readonly #names: readonly string[];
  readonly #values = new Map<string, unknown>();
  readonly #open: string[] = [];

  constructor(parts: ParamParts, names: readonly string[]) {
    this.#parts = parts;
    this.#names = names;
  }

  get(name: string): unknown {
    if (this.#values.has(name)) return this.#values.get(name);
    const start = this.#open.indexOf(name);
    if (start !== -1) {
      this.#reportCycle([...this.#open.slice(start), name]);
      return unknownValue;
    }
    this.#open.push(name);
    const value = this.#resolve(name);
    this.#open.pop();
    this.#values.set(name, value);
    return value;
  }

  #reportCycle(names: readonly string[]): void {
    const { document, report } = this.#parts;
    const [first = ''] = names;
    report({
      code: 'PARAM_CYCLE',
      severity: 'error',
      message: `Params need each other in a circle: ${names.join(' → ')}.`,
      range: document.rangeOf(['params', first]),
      notes: names.slice(1, -1).map((name) => ({
        message: `"${name}" is computed here.`,
        range: document.rangeOf(['params', name]),
      })),
      help: 'Write one of the values out.',
    });
  }

  /** The scope of a param's expression: other params are computed when they are asked for. */
  #scope(): Fields {
    const params = {};
    for (const name of this.#names)
      Object.defineProperty(params, name, {
        enumerable: true,
        configurable: true,
        get: () => this.get(name),
      });
    return { ...this.#parts.scope, params };
  }

  #resolve(name: string): unknown {
    const { document, overrides } = this.#parts;
    const path = ['params', name];
    const tree = entryOf(entryOf(document.tree, 'params')?.value, name)?.value;
    const written = (document.value as { readonly params: Fields }).params[name]; // The names were read from it.
    const isTyped = tree !== undefined && isDeclaration(tree) && isRecord(written);
    const override = overrides.get(name);
    const defaultPath = isTyped ? [...path, 'default'] : path;
    const fallback = isTyped ? written['default'] : written;
    if (isTyped) {
      const wrong = checkDeclaration(written, path, document);
      wrong.forEach(this.#parts.report);
      if (wrong.length > 0) return unknownValue;
    }
    if (isTyped && override === undefined && !('default' in written)) {
      if (this.#parts.isOpen !== true) this.#reportMissing(name, written);
      return unknownValue;
    }
    const value =
      override === undefined
        ? this.#evaluate(fallback, defaultPath)
        : this.#convert(override, isTyped ? written : {});
    if (value === undefined) return unknownValue;
    const schema = isTyped ? written : scalarSchema(fallback);
    if (schema === undefined || validateValue(schema, value).length === 0) return value;
    this.#explain(name, value, override, schema);
    return unknownValue;
  }

  /** Undefined, and told, when an expression cannot be computed. */
  #evaluate(written: unknown, path: readonly string[]): unknown {
    const { document, report } = this.#parts;
    let isBroken = false;
    const value = evaluateValue(written, path, {
      scope: this.#scope(),
      document,
      report: (diagnostic) => {
        isBroken = true;
        report(diagnostic);
      },
      onTold: () => {
        isBroken = true;
      },
    });
    return isBroken ? undefined : value;
  }

  #reportMissing(name: string, schema: Fields): void {
    const { document, report, user } = this.#parts;
    const declared = document.rangeOfKey(['params', name]);
    const must = `which must be ${describeSchema(schema)}`;
    report({
      code: 'PARAM_MISSING',
      severity: 'error',
      message: `The param "${name}"${user === undefined ? '' : ` of ${user.file}`} has no value: it is declared without a default.`,
      range: user?.range ?? declared,
      ...(user === undefined ? {} : { notes: [{ message: `"${name}" is declared here.`, range: declared }] }),
      help:
        user === undefined
          ? `Give it with \`--set ${name}=...\`, or add a default, ${must}.`
          : `Add \`with: { ${name}: ... }\`, ${must}.`,
    });
  }

  #convert(override: ParamOverride, schema: Fields): unknown {
    // On a command line `3` may be meant as a text: a declared type says so.
    return override.text !== undefined && schema['type'] === 'string' ? override.text : override.value;
  }

  #explain(name: string, value: unknown, override: ParamOverride | undefined, schema: Fields): void {
    const { document, report } = this.#parts;
    const path = 'default' in schema ? ['params', name, 'default'] : ['params', name];
    const own = locateIn(document, path);
    const locator = override === undefined ? own : override.locator;
    // A default that is wrong is no example of what is right.
    const { default: fallback, ...rest } = schema;
    const shown = override === undefined || fallback === undefined ? rest : { ...rest, default: fallback };
    const errors = explainSchemaErrors(validateValue(shown, value), locator ?? own, {
      owner: `The param "${name}"`,
      prefix: [name],
      noun: 'key',
      codes: { wrong: 'PARAM_VALUE', unknown: 'PARAM_VALUE' },
    });
    const notes =
      override === undefined
        ? {}
        : { notes: [{ message: `"${name}" is declared here.`, range: own.rangeOf([]) }] };
    for (const { range, message, ...error } of errors)
      report(
        locator === undefined
          ? { ...error, message: message.replace(/\.$/, ' on the command line.'), ...notes }
          : { ...error, message, ...(range === undefined ? {} : { range }), ...notes },
      );
  }
}

/** An untyped param keeps the type of its default, where that is a number or a truth value. */
function scalarSchema(value: unknown): Fields | undefined {
  return typeof value === 'number' || typeof value === 'boolean' ? { type: typeof value } : undefined;
}

/** Reads the values of a params file. */
export function collectFromFile(
  document: ParsedDocument,
  file: string,
  names: readonly string[],
  report: Report,
): ReadonlyMap<string, ParamOverride> {
  const result = new Map<string, ParamOverride>();
  if (!isRecord(document.value)) {
    report({
      code: 'PARAMS_FILE',
      severity: 'error',
      message: `${file} must be a map of params, but is ${showValue(document.value)}.`,
      range: document.rangeOf([]),
      help: 'Write one `name: value` a line.',
    });
    return result;
  }
  for (const [name, value] of Object.entries(document.value)) {
    if (names.includes(name)) result.set(name, { value, locator: locateIn(document, [name]) });
    else
      report({
        code: 'PARAMS_FILE',
        severity: 'error',
        message: `The pipeline has no param "${name}".`,
        range: document.rangeOfKey([name]),
        help: suggest(name, names, 'Its params are'),
      });
  }
  return result;
}

/** The name that was meant, or all there are. */
export function suggest(name: string, names: readonly string[], intro: string): string {
  const nearest = findNearest(name, names);
  return nearest === undefined
    ? `${intro}: ${names.length === 0 ? 'none' : names.join(', ')}.`
    : `Did you mean "${nearest}"?`;
}
