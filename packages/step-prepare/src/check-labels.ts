import type { QualityFinding, RawRow } from '@joyul/data';
import { FoundPlaces, countLabels, findLabelTwins, kindOf, makeFinding } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import type { PrepareParams } from './params.ts';

/** What a data set is for. */
export type Task = 'classification' | 'text' | 'chat';

const kindNames = { chat: 'conversations', text: 'texts', tokens: 'token ids' } as const;

/** Rows with settled labels, and those that have none. */
export interface LabelledRows {
  readonly task: Task;
  readonly rows: readonly RawRow[];
  readonly unlabelled: readonly RawRow[];
  readonly dropped: Readonly<Record<string, number>>;
  readonly findings: readonly QualityFinding[];
}

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

function refuseTwins(rows: readonly RawRow[]): void {
  const twins = findLabelTwins(rows);
  if (twins.length === 0) return;
  const problems = twins.flatMap(({ labels }) =>
    labels.map(({ label, rows: count, first }) => ({
      ...first,
      field: 'label',
      message: `The label "${label}" (${plural(count, 'row')}) differs from ${labels
        .filter((other) => other.label !== label)
        .map((other) => `"${other.label}"`)
        .join(', ')} only in how it is written.`,
    })),
  );
  const [first, second] = twins[0]?.labels ?? [];
  throw new StepFailure('LABEL_TWINS', 'Some labels differ only in how they are written.', {
    problems,
    help: `Make them one, such as labels: { ${JSON.stringify(second?.label)}: ${JSON.stringify(first?.label)} }.`,
  });
}

/** Handles rows without a label among rows with one. */
function settleMissing(rows: readonly RawRow[], params: PrepareParams): LabelledRows {
  const without = rows.filter((row) => row.label === undefined);
  const labelled = rows.filter((row) => row.label !== undefined);
  const base = { task: 'classification', rows: labelled, dropped: {}, findings: [], unlabelled: [] } as const;
  if (without.length === 0) return base;
  const found = new FoundPlaces();
  for (const row of without) found.add({ ...row.place, field: params.fields.label ?? 'label' });
  const what = `${plural(without.length, 'row')} without a label`;
  if (params.missing_label === 'fail')
    throw new StepFailure('LABEL_MISSING', `${what}.`, {
      problems: found.places.map((place) => ({ ...place, message: 'This row has no label.' })),
      help: 'Label the rows, or set missing_label: skip, or unlabelled to use them for continued pretraining.',
    });
  const isKept = params.missing_label === 'unlabelled';
  const finding = makeFinding(
    'LABEL_MISSING',
    'warning',
    `${what}, ${isKept ? 'kept as unlabelled' : 'dropped'}.`,
    found,
  );
  return {
    ...base,
    findings: [finding],
    ...(isKept ? { unlabelled: without } : { dropped: { 'without label': without.length } }),
  };
}

/** Decides the task and settles every row's label. */
export function settleLabels(all: readonly RawRow[], params: PrepareParams): LabelledRows {
  const kinds = [...new Set(all.map(kindOf))];
  if (kinds.length > 1)
    throw new StepFailure(
      'MIXED_SHAPES',
      `Some rows are ${kinds.map((kind) => kindNames[kind]).join(' and others are ')}.`,
      { help: 'Prepare them in two steps.' },
    );
  const base = { rows: all, unlabelled: [], dropped: {}, findings: [] };
  if (kinds[0] === 'chat') return { ...base, task: 'chat' };
  if (kinds[0] === 'tokens') return { ...base, task: 'text' };
  const isLabelled = all.some((row) => row.label !== undefined);
  const asksOfLabels = params.question !== undefined && isLabelled;
  if (params.format === 'chat' && !asksOfLabels)
    throw new StepFailure('NOT_CHAT', 'The rows are no conversations, which format: chat asks for.', {
      help: 'Write rows such as {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}, or set `question` to make conversations of labelled texts.',
    });
  if (params.format === 'text') return { ...base, task: 'text' };
  if (!isLabelled) {
    if (params.format === 'classification')
      throw new StepFailure('LABEL_MISSING', 'No row has a label, which format: classification asks for.', {
        help: 'Set fields.label, or put the texts into one folder a label.',
      });
    return { ...base, task: 'text' };
  }
  const settled = settleMissing(all, params);
  refuseTwins(settled.rows);
  if (asksOfLabels) return { ...settled, task: 'chat' };
  const [only, ...others] = countLabels(settled.rows);
  if (only !== undefined && others.length === 0)
    throw new StepFailure(
      'ONE_LABEL',
      `Every row has the label "${only.label}": there is nothing to tell apart.`,
      {
        help: 'Add rows with another label, or set format: text.',
      },
    );
  return settled;
}
