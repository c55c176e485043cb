import type { TokenRow } from '../row.ts';
import type { FieldProblem } from './field-problem.ts';
import { describeValue, parseNested } from './field-problem.ts';

/** Tokens, or all that keeps a row from being them. */
export type TokensResult =
  | { readonly tokens: TokenRow; readonly problems?: undefined }
  | { readonly tokens?: undefined; readonly problems: readonly FieldProblem[] };

const ignored = -100;

/** A list of whole numbers, each of which `isAllowed`; or the first that is not. */
function readNumbers(
  given: unknown,
  field: string,
  expected: { readonly what: string; readonly isAllowed: (value: number) => boolean },
): readonly number[] | FieldProblem {
  const list = parseNested(given);
  if (!Array.isArray(list))
    return { field, message: `expected a list of ${expected.what}, but is ${describeValue(list)}.` };
  const wrong = list.findIndex(
    (value) => typeof value !== 'number' || !Number.isInteger(value) || !expected.isAllowed(value),
  );
  if (wrong === -1) return list as readonly number[]; // Every value was looked at.
  return {
    field: `${field}/${wrong}`,
    message: `expected ${expected.what}, but is ${describeValue(list[wrong])}.`,
  };
}

const isProblem = (value: readonly number[] | FieldProblem | undefined): value is FieldProblem =>
  value !== undefined && 'message' in value;

/** What lists of one row say to each other: equal lengths, and padding at the ends only. */
function checkLists(
  ids: readonly number[],
  labels: readonly number[] | undefined,
  mask: readonly number[] | undefined,
): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const [name, list] of [
    ['labels', labels],
    ['attention_mask', mask],
  ] as const)
    if (list !== undefined && list.length !== ids.length)
      problems.push({
        field: `/${name}`,
        message: `has ${list.length} values, but input_ids has ${ids.length}.`,
      });
  if (mask !== undefined && problems.length === 0) {
    const hole = mask.findIndex(
      (value, at) => value === 0 && at > mask.indexOf(1) && at < mask.lastIndexOf(1),
    );
    if (hole !== -1)
      problems.push({
        field: `/attention_mask/${hole}`,
        message: 'is 0 between tokens that count: only padding at the ends may be left out.',
      });
  }
  return problems;
}

/** Makes tokens of a row with `input_ids`, perhaps with `labels` and an `attention_mask`, which leaves padding out. */
export function readTokens(values: ReadonlyMap<string, unknown>): TokensResult {
  const ids = readNumbers(values.get('input_ids'), '/input_ids', {
    what: 'a token id of at least 0',
    isAllowed: (value) => value >= 0,
  });
  const given = (name: string): boolean => values.get(name) !== undefined && values.get(name) !== null;
  const labels = given('labels')
    ? readNumbers(values.get('labels'), '/labels', {
        what: `a token id or ${ignored}`,
        isAllowed: (value) => value >= 0 || value === ignored,
      })
    : undefined;
  const mask = given('attention_mask')
    ? readNumbers(values.get('attention_mask'), '/attention_mask', {
        what: '0 or 1',
        isAllowed: (value) => value === 0 || value === 1,
      })
    : undefined;
  const wrong = [ids, labels, mask].filter(isProblem);
  if (isProblem(ids) || isProblem(labels) || isProblem(mask)) return { problems: wrong };
  const problems = checkLists(ids, labels, mask);
  if (problems.length > 0) return { problems };
  const [from, to] =
    mask === undefined ? [0, ids.length] : [Math.max(0, mask.indexOf(1)), mask.lastIndexOf(1) + 1];
  const kept = ids.slice(from, to);
  const learned = labels?.slice(from, to);
  if (kept.length === 0) return { problems: [{ field: '/input_ids', message: 'there are no tokens.' }] };
  // The first token is never predicted, so its own label does not count.
  if (learned?.slice(1).every((label) => label === ignored) === true)
    return {
      problems: [{ field: '/labels', message: `every label is ${ignored}: there is nothing to learn.` }],
    };
  const moved = learned?.findIndex((label, at) => label !== ignored && label !== kept[at]) ?? -1;
  if (moved !== -1)
    return {
      problems: [
        {
          field: `/labels/${from + moved}`,
          message: `expected the token itself (${kept[moved] ?? ''}) or ${ignored}, but is ${learned?.[moved] ?? ''}: labels stand where their tokens are and are not shifted.`,
        },
      ],
    };
  return { tokens: { ids: kept, ...(learned === undefined ? {} : { labels: learned }) } };
}
