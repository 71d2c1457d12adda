// What the emoji picker shows, in the form of emojibase: it would ask a CDN otherwise.
const EMOJI = [
  { emoji: "👍", label: "thumbs up", group: 0, order: 1, version: 0.6 },
  { emoji: "🎉", label: "party popper", group: 0, order: 2, version: 0.6 },
  { emoji: "❤️", label: "red heart", group: 0, order: 3, version: 0.6 },
];

const TONES = ["light", "medium-light", "medium", "medium-dark", "dark"];

export const EMOJI_FILES = {
  "/emoji/en/data.json": EMOJI,
  "/emoji/en/messages.json": {
    groups: [{ key: "smileys-emotion", message: "smileys & emotion", order: 0 }],
    subgroups: [{ key: "all", message: "all", order: 0 }],
    skinTones: TONES.map((key) => ({ key, message: key })),
  },
};
