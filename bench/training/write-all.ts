import { sizeOf } from '@joyul/compute';
import type { Session, Variable } from '@joyul/compute';
import type { ModelFolder, NamedTensor } from '@joyul/models';

/**
 * Sets all variables: the tensors that are given, what the model's files hold, read one by one, and zeros for the
 * optimizer's moments and new heads.
 */
export async function writeAll(
  session: Session,
  variables: readonly Variable[],
  model: ModelFolder,
  given: readonly NamedTensor[] = [],
): Promise<void> {
  const known = new Map(given.map(({ name, data }) => [name, data]));
  await session.write(
    (async function* () {
      for (const { name, shape } of variables) {
        const data = known.get(name) ?? (await model.tensors.get(name)?.readData());
        yield [name, data ?? new Float32Array(sizeOf(shape))] as const;
      }
    })(),
  );
}
