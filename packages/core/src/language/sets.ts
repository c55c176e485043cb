import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { ParamOverride } from './params.ts';
import { suggest } from './params.ts';

/** A value inside a step that the command line changes. */
export interface StepSet {
  readonly step: string;
  /** The keys inside `with`. */
  readonly path: readonly string[];
  readonly value: unknown;
}

/** What `--set` changes: params by name, and values inside steps. */
export interface Sets {
  readonly params: ReadonlyMap<string, ParamOverride>;
  readonly steps: readonly StepSet[];
}

/** A command-line value: JSON where it is JSON, else the text itself. */
function parseSetValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown; // Any value may be set; params check theirs.
  } catch {
    return text;
  }
}

/** Reads `name=value` and `steps.train.with.epochs=3`; a later one wins. */
export function parseSets(
  sets: readonly string[],
  known: { readonly params: readonly string[]; readonly steps: readonly string[] },
  report: (diagnostic: Diagnostic) => void,
): Sets {
  const params = new Map<string, ParamOverride>();
  const steps: StepSet[] = [];
  const fail = (message: string, help: string): void =>
    report({ code: 'SET_INVALID', severity: 'error', message, help });
  for (const set of sets) {
    const at = set.indexOf('=');
    if (at <= 0) {
      fail(`--set ${set} has no ${at === 0 ? 'name' : 'value'}.`, 'Write --set name=value.');
      continue;
    }
    const key = set.slice(0, at).normalize('NFC');
    const text = set.slice(at + 1);
    const value = parseSetValue(text);
    const name = key.startsWith('params.') ? key.slice('params.'.length) : key;
    const [first, step = '', section, ...path] = key.split('.');
    if (known.params.includes(name)) params.set(name, { value, text });
    else if (first !== 'steps')
      fail(
        `--set ${key}: the pipeline has no param "${name}".`,
        suggest(name, known.params, 'Its params are'),
      );
    else if (!known.steps.includes(step))
      fail(`--set ${key}: the pipeline has no step "${step}".`, suggest(step, known.steps, 'Its steps are'));
    else if (section !== 'with' || path.length === 0 || path.includes(''))
      fail(`--set ${key} does not name a param of a step.`, `Write --set steps.${step}.with.PARAM=value.`);
    else steps.push({ step, path, value });
  }
  return { params, steps };
}

type Fields = Readonly<Record<string, unknown>>;

/** A copy with one value replaced or added. */
export function setAt(root: Fields, path: readonly string[], value: unknown): Record<string, unknown> {
  const [key = '', ...rest] = path;
  const inner = root[key];
  const isMap = typeof inner === 'object' && inner !== null && !Array.isArray(inner);
  // A spread keeps a key such as __proto__ an ordinary one.
  return { ...root, [key]: rest.length === 0 ? value : setAt(isMap ? (inner as Fields) : {}, rest, value) };
}
