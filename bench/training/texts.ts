/** Conversations of a shop with its customers, always the same ones. */
import { makeRandom } from '@joyul/data';

/** One conversation, with what it is about. */
export interface Conversation {
  readonly user: string;
  readonly assistant: string;
  /** Index of the intent. */
  readonly intent: number;
}

interface Intent {
  readonly asks: readonly string[];
  readonly reply: string;
}

const intents: readonly Intent[] = [
  { asks: ['please cancel my order for the {}', 'i changed my mind about the {}, stop it before it leaves', 'call off the {}'], reply: 'No problem. I have stopped the order of the {} before dispatch, and any payment will be released back to you within three working days.' },
  { asks: ['where is my {}', 'it has been two weeks and there is no sign of the {} i paid for', 'has the {} been sent yet'], reply: 'Let me look. Your {} left our warehouse this morning and should be with you within two days. The tracking link is in your account.' },
  { asks: ['how do i return the {}', 'the {} does not fit, may i send it back and get the money', 'return label for the {}'], reply: 'Of course. You have thirty days. Print the label under Orders, pack the {} as it came, and hand it in at any post office. The money follows within five days of its arrival.' },
  { asks: ['the {} arrived broken', 'there is a crack in my {} and the box was crushed', 'my {} does not turn on at all'], reply: 'I am sorry about that. A new {} goes out today at no cost. Please keep the damaged one until the courier picks it up.' },
  { asks: ['i need a receipt for the {}', 'my accountant wants an invoice with our tax number for the {}', 'invoice of the {}'], reply: 'Happy to help. The invoice for the {} is attached to this message, and you find it under Orders as well.' },
  { asks: ['how much is the {}', 'is there a discount on the {} if i take two of them', 'did the {} get cheaper since last week'], reply: 'The {} is at its usual price today.' },
  { asks: ['do you have the {} in blue', 'when is the {} back in stock in the shop near the station', 'any {} left'], reply: 'We expect new stock of the {} on Monday. I can write to you as soon as it is in.' },
]; // prettier-ignore

const things = ['running shoes', 'rice cooker', 'desk lamp', 'winter coat', 'phone case', 'tea set', 'noise-cancelling headphones', 'backpack', 'umbrella', 'office chair']; // prettier-ignore
const openings = ['', '', 'hello, ', 'hi there, quick question: ', 'good morning! '];
const endings = ['', '', ' thanks', ' please answer before friday, i leave for a trip then'];

/** How many intents there are. */
export const intentCount = intents.length;

/** `count` conversations; lengths differ by a factor of about four. */
export function makeConversations(count: number): readonly Conversation[] {
  const random = makeRandom(5);
  const pick = <T>(list: readonly T[], otherwise: T): T =>
    list[Math.floor(random() * list.length)] ?? otherwise;
  return Array.from({ length: count }, () => {
    const intent = Math.floor(random() * intents.length);
    const { asks, reply } = intents[intent] ?? { asks: [], reply: '' };
    const thing = pick(things, '');
    const ask = pick(asks, '').replace('{}', thing);
    return {
      intent,
      user: `${pick(openings, '')}${ask}${pick(endings, '')}`,
      assistant: reply.replace('{}', thing),
    };
  });
}
