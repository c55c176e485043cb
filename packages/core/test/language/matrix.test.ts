import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { selectSteps } from '../../src/graph/select-steps.ts';
import { splitTargets } from '../../src/graph/step-id.ts';
import { countProduct, expandMatrix, formatInstanceId, keyOf } from '../../src/language/matrix.ts';
import { explain, graphOf, load, withSteps } from './support.ts';

const ids = async (matrix: string, more = ''): Promise<readonly string[]> =>
  (await graphOf(withSteps(`  a: { uses: prepare, matrix: ${matrix} }\n`, more))).steps.map(({ id }) => id);

describe('names of instances', () => {
  test.each([
    [
      '{ lr: [1e-4, 1E-3, 0.1, 1.0, 0x10, -0.5] }',
      'a@lr=1e-4 a@lr=1E-3 a@lr=0.1 a@lr=1.0 a@lr=0x10 a@lr=-0.5',
    ],
    ['{ seed: [1, 2], kind: [x, y] }', 'a@seed=1,kind=x a@seed=1,kind=y a@seed=2,kind=x a@seed=2,kind=y'],
    [
      '{ v: [true, null, "", "a b", "a,b", "x=y", "a/b"] }',
      'a@v=true a@v=null a@v="" a@v="a b" a@v="a,b" a@v="x=y" a@v="a/b"',
    ],
    ['{ v: [{ b: 1, a: [2] }] }', 'a@v={"a":[2],"b":1}'],
    ['{ v: "${{ params.list }}" }', 'a@v=0.0001 a@v=2'],
    ['{ v: ["${{ params.list[1] }}", 3e0] }', 'a@v=2 a@v=3e0'],
  ])('%s', async (matrix, names) => {
    expect((await ids(matrix, 'params: { list: [1e-4, 2] }\n')).join(' ')).toBe(names);
  });

  test('a long value has a digest', async () => {
    const [id] = await ids('{ v: [{ text: "a long text that nobody would type again" }] }');
    expect(id).toMatch(/^a@v=#[0-9a-f]{8}$/);
  });

  test('numbers are values, however they are typed', async () => {
    const steps =
      '  a: { uses: train, matrix: { lr: [1e-4] }, with: { epochs: 1, rate: "${{ matrix.lr }}" }, inputs: { dataset: d.dataset } }\n  d: { uses: prepare }\n';
    expect((await graphOf(withSteps(steps))).byId.get('a@lr=1e-4')?.params).toMatchObject({ rate: 0.0001 });
  });
});

describe('include and exclude', () => {
  test('exclude leaves out, include adds values and instances', async () => {
    expect(
      await ids(
        '{ a: [1, 2], b: [x, y], exclude: [{ a: 1, b: y }], include: [{ a: 2, note: two }, { a: 3, b: z }] }',
      ),
    ).toEqual(['a@a=1,b=x', 'a@a=2,b=x', 'a@a=2,b=y', 'a@a=3,b=z']);
  });

  test('every instance may name what only some have', async () => {
    const steps =
      '  a: { uses: prepare, matrix: { a: [1, 2], include: [{ a: 2, file: two.csv }] }, with: { source: "${{ default(matrix.file, \'one.csv\') }}" } }\n';
    expect((await graphOf(withSteps(steps))).steps.map(({ params }) => params['source'])).toEqual([
      'one.csv',
      'two.csv',
    ]);
  });

  test('mistakes are told', async () => {
    const codes = async (matrix: string): Promise<readonly string[]> =>
      (
        await load(withSteps(`  a: { uses: prepare, matrix: ${matrix} }\n`, 'params: { n: 3 }\n'))
      ).diagnostics.map(({ code, message }) => `${code} ${message}`);
    expect(await codes('{ a: 3 }')).toEqual([
      'WRONG_TYPE "steps.a.matrix.a" must be a list of values, or an expression that gives one, but is 3.',
    ]);
    expect(await codes('{ a: [] }')).toEqual([
      'WRONG_TYPE "steps.a.matrix.a" must be a list of values, or an expression that gives one, but is an empty list.',
    ]);
    expect(await codes('{ a: "${{ params.n }}" }')).toEqual([
      'WRONG_TYPE The axis "a" must be a list of values, but is 3.',
    ]);
    expect(await codes('{ "a b": [1] }')).toEqual(['NAME_INVALID "a b" cannot be a name: it has a blank.']);
    expect(await codes('{ a: [1], include: [3] }')).toEqual([
      'WRONG_TYPE "steps.a.matrix.include[0]" must be a map of keys, but is 3.',
    ]);
    expect(await codes('{}')).toEqual(['MATRIX_EMPTY The matrix of "a" has no instance.']);
    expect(await codes('{ a: [1, "1"] }')).toEqual(['MATRIX_DUPLICATE Two instances have the name "a@a=1".']);
  });
});

describe('joins', () => {
  test('instances are joined on the axes that both have', async () => {
    const { byId } = await graphOf(
      withSteps(`
  d: { uses: prepare, matrix: { fold: [1, 2] } }
  t: { uses: train, with: { epochs: 1 }, matrix: { fold: [1, 2], seed: [7, 8] }, inputs: { dataset: d.dataset } }
  all: { uses: compare, inputs: { models: t.model } }
  one: { uses: deploy, inputs: { model: "t@fold=1,seed=7.0.model" } }
`),
    );
    expect(byId.get('t@fold=2,seed=8')?.needs).toEqual(['d@fold=2']);
    expect(byId.get('all')?.inputs['models']).toHaveLength(4);
    expect(byId.get('one')?.needs).toEqual(['t@fold=1,seed=7']);
  });
});

describe('targets', () => {
  const files = {
    'p.yaml': withSteps(`
  d: { uses: prepare }
  train: { uses: train, with: { epochs: 1 }, matrix: { lr: [1e-4, 1e-3], seed: [1, 2], model: ["hf:a/b"] }, inputs: { dataset: d.dataset } }
  tune: { uses: ./q.yaml, matrix: { lr: [1e-4, 0.5] } }
`),
    'q.yaml':
      'name: q\nsteps: { fit: { uses: prepare, matrix: { s: [1, 2] } }, end: { uses: select, inputs: { dataset: "fit@s=1.dataset" } } }\n',
  };
  const select = async (...only: readonly string[]): Promise<readonly string[]> => {
    const told: string[] = [];
    const selected = selectSteps(
      await graphOf(files),
      { only },
      ({ message, help }) => void told.push(`${message} ${help ?? ''}`),
    );
    return told.length > 0 ? told : [...(selected ?? [])];
  };

  test.each([
    ['train@lr=1e-4,seed=1,model="hf:a/b"', 1],
    ['train@lr=0.0001,seed=1,model="hf:a/b"', 1],
    ['train@lr=1.0e-4,seed=1,model=hf:a/b', 1],
    ['train@seed=1,lr=1E-4', 1],
    ['train@lr=1e-4', 2],
    ['train', 4],
    ['tune', 6],
    ['tune/fit', 4],
    ['tune@lr=0.5', 3],
    ['tune@lr=5e-1/fit', 2],
    ['tune@lr=0.5/fit@s=1', 1],
    ['tune/fit@s=2', 2],
  ])('%s finds %i steps', async (target, count) => {
    const found = await select(target);
    expect(found).toHaveLength(count);
    expect(found.every((id) => id.startsWith(target.split(/[@/]/)[0] ?? ''))).toBe(true);
  });

  test('an unknown one is told with the nearest', async () => {
    expect(await select('trian')).toEqual(['The pipeline has no step "trian". Did you mean "train"?']);
    expect(await select('tune/fitt')).toEqual([
      'The pipeline has no step "tune/fitt". Did you mean "tune/fit"?',
    ]);
    expect(await select('tune@lr=0.6/end')).toEqual([
      'The pipeline has no step "tune@lr=0.6/end". Did you mean "tune@lr=0.5/end"?',
    ]);
    expect(await select('nothing-like-it')).toEqual([
      'The pipeline has no step "nothing-like-it". Its steps are "d", "train", "tune", "tune/fit", "tune/end".',
    ]);
    expect(await explain(files, { selection: { until: ['tain'] } })).toBe(`
error TARGET_UNKNOWN  The pipeline has no step "tain".
  note: "train" is declared here.
  p.yaml:5:3
    5 |   train: { uses: train, with: { epochs: 1 }, matrix: { lr: [1e-4, 1e-3], seed: [1, 2], model: ["hf:a
      |   ^^^^^
  help: Did you mean "train"?
`);
  });

  test.each([
    ['a,b', ['a', 'b']],
    ['train@lr=1,seed=2,test', ['train@lr=1,seed=2', 'test']],
    ['a@x=1,b@y=2', ['a@x=1', 'b@y=2']],
    ['a@x="1,b",c', ['a@x="1,b"', 'c']],
    ['a@x={"p":1,"q":2},c', ['a@x={"p":1,"q":2}', 'c']],
    ['tune@lr=1,s=2/fit,end', ['tune@lr=1,s=2/fit', 'end']],
  ])('the list %s has its parts', (list, parts) => {
    expect(splitTargets(list)).toEqual(parts);
  });
});

describe('expansion, for any matrix', () => {
  const value = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.constantFrom('a', 'b', '', 'x,y', '/'),
    fc.boolean(),
    fc.constant(null),
  );
  const axes = fc.dictionary(
    fc.constantFrom('p', 'q', 'r', '__proto__', 'constructor'),
    fc.uniqueArray(value, { minLength: 1, maxLength: 4 }),
    { minKeys: 1, maxKeys: 3 },
  );
  const pattern = fc.dictionary(fc.constantFrom('p', 'q', 'r', 'extra'), value, { maxKeys: 3 });

  test('the product is complete, and no two instances are the same', () => {
    fc.assert(
      fc.property(axes, (matrix) => {
        const instances = expandMatrix(matrix);
        expect(instances).toHaveLength(countProduct(matrix));
        expect(new Set(instances.map((instance) => keyOf(instance.axes))).size).toBe(instances.length);
      }),
    );
  });

  test('exclude leaves out what agrees with it and nothing else', () => {
    fc.assert(
      fc.property(axes, fc.array(pattern, { maxLength: 3 }), (matrix, patterns) => {
        const known = patterns.map((entry) =>
          Object.fromEntries(Object.entries(entry).filter(([axis]) => Object.hasOwn(matrix, axis))),
        );
        const agrees = (values: Readonly<Record<string, unknown>>): boolean =>
          known.some((entry) => Object.entries(entry).every(([axis, item]) => values[axis] === item));
        const kept = expandMatrix({ ...matrix, exclude: known }).map((instance) => keyOf(instance.axes));
        const expected = expandMatrix(matrix)
          .filter((instance) => !agrees(instance.axes))
          .map((instance) => keyOf(instance.axes));
        expect(kept).toEqual(expected);
      }),
    );
  });

  test('include takes nothing away and changes no value of an axis', () => {
    fc.assert(
      fc.property(axes, fc.array(pattern, { maxLength: 3 }), (matrix, include) => {
        const without = expandMatrix(matrix);
        const all = expandMatrix({ ...matrix, include });
        expect(all.slice(0, without.length).map((instance) => keyOf(instance.axes))).toEqual(
          without.map((instance) => keyOf(instance.axes)),
        );
        for (const { axes: own, values } of all) expect(values).toMatchObject(own);
      }),
    );
  });

  test('ids of different texts and numbers can be told apart and taken apart', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 8 }),
      fc.constantFrom('a"b', '\\', '{', ']', 'a,b=c', '/'),
    );
    fc.assert(
      fc.property(fc.uniqueArray(text, { minLength: 2, maxLength: 4 }), (values) => {
        const made = values.map((item) => formatInstanceId('s', { v: item, w: 1 }, new Map()));
        expect(new Set(made).size).toBe(values.length);
        expect(splitTargets(made.join(','))).toEqual(made);
      }),
    );
  });
});
