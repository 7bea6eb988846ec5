/* What the made-up shop sells. A title is colour + kind (+ a number when the words run out). */
#include "demo_internal.h"

#include <math.h>

struct shelf {
    const char *department, *name;
    float price; /* typical, in whole units */
    const char *kinds[6];
};

static const struct shelf shelves[] = {
    {"Home",
     "Kitchen",
     18,
     {"kettle", "teapot", "saucepan", "cutting board", "pepper mill", "measuring jug"}},
    {"Home",
     "Tableware",
     9,
     {"teacup", "saucer", "dinner plate", "water glass", "cereal bowl", "milk jug"}},
    {"Home",
     "Bedding",
     35,
     {"pillow", "duvet cover", "wool blanket", "bed sheet", "cushion", "bolster"}},
    {"Home",
     "Lighting",
     28,
     {"table lamp", "candle holder", "lantern", "fairy lights", "desk lamp", "lamp shade"}},
    {"Grocery",
     "Tea & Coffee",
     6,
     {"green tea", "black tea", "espresso beans", "filter coffee", "cocoa", "herbal tea"}},
    {"Grocery",
     "Pantry",
     4,
     {"spaghetti", "olive oil", "basmati rice", "tomato sauce", "honey", "sea salt"}},
    {"Grocery",
     "Snacks",
     3,
     {"oat biscuits", "dark chocolate", "salted nuts", "apple crisps", "shortbread", "fruit bar"}},
    {"Garden",
     "Tools",
     22,
     {"trowel", "watering can", "secateurs", "garden fork", "leaf rake", "hose reel"}},
    {"Garden",
     "Plants",
     8,
     {"tomato seeds", "lavender pot", "herb planter", "tulip bulbs", "fern", "cactus"}},
    {"Toys",
     "Games",
     20,
     {"puzzle", "card game", "chess set", "domino set", "marble run", "memory game"}},
    {"Toys", "Soft toys", 15, {"bear", "rabbit", "elephant", "fox", "penguin", "owl"}},
    {"Office",
     "Paper",
     5,
     {"notebook", "sketch pad", "envelopes", "index cards", "wrapping paper", "calendar"}},
    {"Office",
     "Writing",
     7,
     {"fountain pen", "pencil set", "highlighter", "ink bottle", "eraser", "ruler"}},
    {"Bath",
     "Towels",
     16,
     {"bath towel", "hand towel", "bath mat", "face cloth", "bath robe", "beach towel"}},
    {"Bath", "Care", 6, {"soap bar", "shampoo", "bath salts", "hand cream", "toothbrush", "razor"}},
    {"Pets",
     "Dogs & Cats",
     12,
     {"dog biscuits", "cat litter", "chew toy", "food bowl", "dog lead", "cat tree"}},
};
static const char *const colours[] = {"red",     "blue",   "green", "white", "black",  "rose",
                                      "mint",    "amber",  "grey",  "ivory", "copper", "striped",
                                      "spotted", "floral", "oak",   "linen"};
static const char *const brands[] = {"Alder", "Brook", "Cairn", "Dune",
                                     "Ember", "Fjord", "Grove", "Heath"};

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

void demo_name_item(struct demo *d, uint32_t i)
{
    struct demo_item *it = &d->items[i];
    const struct shelf *s = &shelves[i % COUNT(shelves)];
    uint32_t of_shelf = i / COUNT(shelves);
    const char *kind = s->kinds[of_shelf % 6], *colour = colours[of_shelf / 6 % COUNT(colours)];
    uint32_t again = of_shelf / 6 / COUNT(colours);
    if (again > 0)
        snprintf(it->title, sizeof it->title, "%s %s no. %u", colour, kind, again + 1);
    else
        snprintf(it->title, sizeof it->title, "%s %s", colour, kind);
    if (it->title[0] >= 'a' && it->title[0] <= 'z')
        it->title[0] = (char)(it->title[0] - 32);
    it->department = s->department;
    it->shelf = s->name;
    it->brand = brands[rng_below(&d->rng, COUNT(brands))];
    double price = s->price * exp(0.35 * rng_normal(&d->rng));
    it->price_minor = (uint32_t)(price * 100 / 5) * 5 + 5;
    it->stock = rng_below(&d->rng, 20) == 0 ? 0 : 5 + rng_below(&d->rng, 200);
}
