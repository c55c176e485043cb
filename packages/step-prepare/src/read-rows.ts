import type { RawRow, ReadOptions, RowProblem, RowShape, SourceFormat, SourceSummary } from '@joyul/data';
import { FoundPlaces, RowTable, cleanRowText, formatVerdict, kindOf, readSource } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import type { PrepareParams } from './params.ts';
import type { Context } from './references.ts';
import { fetchRows } from './references.ts';

/** Everything that the sources hold, cleaned. */
export interface ReadRows {
  readonly table: RowTable;
  readonly rows: readonly RawRow[];
  /** Rows that were read, also those that are not kept. */
  readonly read: number;
  /** Rows that could not be read and were left out: the first of their problems, and how many there are. */
  readonly skipped: { readonly problems: readonly RowProblem[]; readonly total: number };
  /** Rows that cleaning left nothing, or too little, of. */
  readonly dropped: { readonly empty: FoundPlaces; readonly short: FoundPlaces };
  /** As resolved, with versions. */
  readonly sources: readonly string[];
  readonly isEmail: boolean;
  /** What each source was taken for, in sentences. */
  readonly verdicts: readonly string[];
}

const shapes: Readonly<Record<string, RowShape | 'chat'>> = {
  classification: 'classification',
  text: 'text',
  chat: 'chat',
  openai: 'openai',
  sharegpt: 'sharegpt',
  alpaca: 'alpaca',
  'prompt-completion': 'prompt-completion',
  tokens: 'tokens',
};
const containers: Readonly<Record<string, SourceFormat>> = {
  email: 'email',
  csv: 'csv',
  jsonl: 'jsonl',
  json: 'json',
  parquet: 'parquet',
};

function readOptions(params: PrepareParams, context: Context): ReadOptions {
  const shape = shapes[params.format];
  return {
    format: containers[params.format] ?? 'auto',
    // Labelled texts become conversations by `question`, so any row may be read.
    ...(shape === undefined || (shape === 'chat' && params.question !== undefined) ? {} : { shape }),
    ...(params.labels === undefined ? {} : { folders: params.labels }),
    ...(params.subset === undefined ? {} : { subset: params.subset }),
    ...(params.texts === undefined ? {} : { texts: params.texts }),
    fields: params.fields,
    signal: context.signal,
    onProgress: (done, total) => {
      context.emit({ type: 'progress', activity: 'reading', done, total, unit: 'files' });
    },
  };
}

const plural = (count: number, one: string): string =>
  `${count.toLocaleString('en-US')} ${one}${count === 1 ? '' : 's'}`;

function describeSource(reference: string, { verdicts, texts }: SourceSummary): readonly string[] {
  const parts = (['document', 'paragraph', 'line'] as const).flatMap((unit) => {
    const count = texts[unit] ?? 0;
    if (count === 0) return [];
    const other = unit === 'document' ? '' : '; set texts: document for whole files';
    return [`Read as texts: ${plural(count, unit)}${other}.`];
  });
  return [...verdicts.map(formatVerdict), ...parts].map((text) => `${reference}: ${text}`);
}

const keptProblems = 200;

/** Fetches and reads all sources into a table on disk; every problem of all of them is told at once. */
export async function readAll(
  references: readonly string[],
  context: Context,
  file: string,
): Promise<ReadRows> {
  const table = new RowTable(file);
  try {
    return await readInto(table, references, context);
  } catch (error) {
    table.dispose();
    throw error;
  }
}

async function readInto(table: RowTable, references: readonly string[], context: Context): Promise<ReadRows> {
  const { params, emit } = context;
  const problems: RowProblem[] = [];
  const dropped = { empty: new FoundPlaces(), short: new FoundPlaces() };
  const sources: string[] = [];
  const verdicts: string[] = [];
  let [read, total, isEmail] = [0, 0, params.format === 'email'];
  const admit = (row: RawRow): void => {
    const renamed = row.label === undefined ? undefined : (params.labels?.[row.label] ?? row.label);
    const label = params.format === 'text' ? undefined : renamed;
    isEmail ||= row.group?.startsWith('subject:') === true;
    if (kindOf(row) === 'tokens') return table.add(row, { label });
    const cleaned = cleanRowText(row.text, {
      minCharacters: params.clean.min_characters,
      htmlEntities: params.clean.html_entities,
    });
    if ('text' in cleaned) return table.add(row, { text: cleaned.text, label });
    dropped[cleaned.reason === 'empty' ? 'empty' : 'short'].add({ ...row.place, field: 'text' });
  };
  for (const reference of references) {
    const source = await fetchRows(reference, context);
    const summary = await readSource(source.path, reference, readOptions(params, context), (batch) => {
      read += batch.rows.length;
      total += batch.problems.length;
      problems.push(...batch.problems.slice(0, keptProblems - problems.length));
      batch.rows.forEach(admit);
    });
    sources.push(source.resolved);
    verdicts.push(...describeSource(reference, summary));
    if (summary.ignored.length > 0)
      emit({
        type: 'log',
        level: 'info',
        message: `${reference}: left out ${plural(summary.ignored.length, 'file')} that hold no rows, such as ${summary.ignored[0] ?? ''}.`,
      });
  }
  if (total > 0 && (params.on_error === 'fail' || read === 0)) {
    const listed = total > problems.length ? ` The first ${problems.length} are listed.` : '';
    throw new StepFailure(
      'ROW_MALFORMED',
      `${plural(total, 'problem')} in ${references.join(', ')}.${listed}`,
      {
        problems,
        help:
          read === 0
            ? 'Look at the first problem.'
            : 'Mend the rows, or set on_error: skip to leave them out.',
      },
    );
  }
  const skipped = { problems, total };
  return { table, rows: table.rows, read, skipped, dropped, sources, isEmail, verdicts };
}
