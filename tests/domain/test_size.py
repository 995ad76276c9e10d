"""A case does not grow with its age."""

from tests.domain.story import Story


def test_a_case_of_two_thousand_events_is_as_large_as_a_young_one(story: Story) -> None:
    story.open("inquiry", channel="email")
    sizes = []
    while len(story.events) < 2000:
        story.now += 60
        story.customer().receive_message("And this?")
        story.agent().wait("customer")
        story.agent().reply("Like this")
        story.deliver("reply")
        story.agent().resume()
        story.agent().resolve("Done")
        story.deliver("result")
        story.customer().confirm(satisfied=False)
        story.outcome("staff_alert", staff_reached={"people": ["sue"]})
        story.supervisor().review_dissatisfaction("Looked at it")
        sizes.append(len(story.case.SerializeToString()))
    # Figures such as seq and the totals take a byte or two more.
    assert max(sizes[5:]) - sizes[5] < 64
