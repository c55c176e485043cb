/**
 * Ids of steps: `train`, `train@lr=1e-4,seed=2`, and inside of pipelines that are used as a step
 * `tune@lr=1e-4/train`. Texts with a character that has a meaning here stand in quotes.
 */

/** Where an id, or a list of ids, is taken apart: outside of quotes and brackets. */
function splitOutside(text: string, isCut: (at: number) => boolean): readonly string[] {
  const parts: string[] = [];
  let [start, depth, isQuoted] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (isQuoted) {
      if (character === '\\') at++;
      else if (character === '"') isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (depth <= 0 && isCut(at)) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...parts, text.slice(start)];
}

/** `tune@lr=1e-4/train` as `tune@lr=1e-4` and `train`. */
export const splitPath = (id: string): readonly string[] => splitOutside(id, (at) => id[at] === '/');

/** Ids in a list with commas: `train@lr=1,seed=2,test` are two, since `seed=2` names no step. */
export const splitTargets = (list: string): readonly string[] =>
  splitOutside(list, (at) => list[at] === ',' && !/^[^,@/"]*=/.test(list.slice(at + 1)));

/** The name that a step has in its own file. */
export const localName = (group: string): string => group.slice(group.lastIndexOf('/') + 1);

/** The id that a step has in its own file. */
export const localId = (id: string): string => (id.includes('/') ? (splitPath(id).at(-1) ?? id) : id);

/** The same for every way to write the values: `1e-4` and `0.0001`, composed and decomposed letters. */
export const normalizeId = (id: string): string =>
  id
    .normalize('NFC')
    .replaceAll(/=([-+.\w]+)(?=[,/]|$)/g, (match, value: string) =>
      /\d/.test(value) && Number.isFinite(Number(value)) ? `=${Number(value)}` : match,
    );

/** The same also without the quotes around values, which nobody should have to type. */
export const plainId = (id: string): string => normalizeId(id).replaceAll('"', '');

interface Segment {
  readonly name: string;
  /** `lr=0.1` by axis and value. */
  readonly pairs: readonly string[];
}

const parseSegments = (id: string): readonly Segment[] =>
  splitPath(normalizeId(id)).map((segment) => {
    const at = segment.indexOf('@');
    if (at === -1) return { name: segment, pairs: [] };
    const values = segment.slice(at + 1);
    return { name: segment.slice(0, at), pairs: splitOutside(values, (index) => values[index] === ',') };
  });

/**
 * What tells whether a step is meant by a target: by its id, its name, the name of a pipeline around it, or some
 * of its values, in any order.
 */
export function makeTargetMatcher(target: string): (id: string) => boolean {
  const wanted = parseSegments(target);
  const plain = plainId(target);
  return (id) => {
    const segments = parseSegments(id);
    if (plainId(id) === plain) return true;
    return (
      wanted.length <= segments.length &&
      wanted.every(
        ({ name, pairs }, index) =>
          segments[index]?.name === name && pairs.every((pair) => segments[index]?.pairs.includes(pair)),
      )
    );
  };
}

/** Names that a target may have, to suggest one: `tune`, `tune/train`. */
export const groupNames = (groups: Iterable<string>): ReadonlySet<string> =>
  new Set(
    [...groups].flatMap((group) => {
      const parts = group.split('/');
      return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    }),
  );
