import type { Variable, VariableValue } from '@joyul/compute';
import type { ModelFolder, NamedTensor } from '@joyul/models';

/**
 * The value of each variable, read when it is wanted, so that a model is never in memory twice: what is given, what the
 * model's files hold, and zeros for everything else, such as optimizer's moments and caches.
 */
export async function* valuesOf(
  variables: readonly Variable[],
  model: ModelFolder,
  given?: ReadonlyMap<string, Pick<NamedTensor, 'data'>>,
): AsyncGenerator<readonly [string, VariableValue]> {
  for (const { name } of variables) {
    const data = given?.get(name)?.data ?? (await model.tensors.get(name)?.readData());
    yield [name, data ?? 0];
  }
}
