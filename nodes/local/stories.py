"""Three stories, each long enough (about forty seconds of speech) to be worth interrupting."""

STORIES = {
    "lighthouse": (
        "On a rock far out at sea there stood a lighthouse, and in it lived a keeper called "
        "Marten. Every evening he climbed ninety nine steps and lit the lamp, and every morning "
        "he climbed them again to put it out. One night the lamp would not burn, for the oil "
        "was gone. Marten could hear a ship in the dark, and he knew that the rocks were near it. "
        "So he took the only thing he had, an old brass trumpet, and blew it as hard as he could. "
        "The captain heard the trumpet and turned the ship away. In the morning the sailors came "
        "with ten barrels of oil. But on quiet nights Marten still plays the trumpet, "
        "and passing ships answer him with their horns."
    ),
    "fox": (
        "A young fox once found a mirror lying in the snow. He looked into it and saw another fox, "
        "who looked just as hungry as he was. I will share with you, he said, if you share "
        "with me. The other fox moved his mouth at the same moment, and seemed to agree. "
        "That day the young fox caught two mice, ate one, and carried the other to the mirror. "
        "He laid it down and waited, but his friend only stared at a mouse of his own. "
        "An old crow had been watching from a branch. You are feeding yourself, she said. "
        "Then I know that he will be fair, said the fox, and he gave the second mouse to the crow. "
        "From that winter on the crow told him where the mice were, and neither of them was hungry."
    ),
    "clock": (
        "In a small town in the hills the church clock always ran five minutes late. "
        "The mayor was ashamed of it, so he sent for a famous clock maker from the city. "
        "She climbed the tower, listened for a long while, and came down without touching "
        "anything. Your clock is not late, she said. It waits. The mayor did not understand. "
        "Look at the school, she told him. The children from the far farms come over the hill, "
        "and they reach the gate just as the bell begins to ring. "
        "If the clock were right, they would be late every day of their lives. "
        "The mayor watched for one morning, and he saw that it was so. "
        "He paid the clock maker, thanked her, and set his own watch five minutes back."
    ),
}
