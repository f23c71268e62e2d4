"""The measurements that give the numbers on the cards."""
